"""The AsyncAPI 3.0 document of all topics: servers, security, channels, headers, keys."""

from typing import Any

from direct311.schemas.described import summary
from direct311.schemas.topics import ALL, TYPE_PREFIX, EventType

Schema = dict[str, Any]

_COPIES = "routed.{department}"
"""The topic with a department's copies of what routing says about its jobs."""
_FOR_DEPARTMENTS = ("routed.{department}", "replies.{department}")
"""The topics that a department reads."""
_KAFKA_BINDING = "0.5.0"


def asyncapi() -> Schema:
    """The whole document."""
    channels: Schema = {}
    operations: Schema = {}
    messages: Schema = {}
    for kind in ALL:
        messages[kind.label] = _message(kind)
        for topic in (kind.topic, _COPIES) if kind.copied else (kind.topic,):
            name = _name(topic)
            channel = channels.setdefault(name, _channel(topic))
            channel["messages"][kind.label] = {"$ref": f"#/components/messages/{kind.label}"}
            suffix = f".to.{name}" if topic != kind.topic else ""
            for producer in kind.producers:
                operations[f"{producer}.sends.{kind.label}{suffix}"] = _operation(
                    "send", name, kind
                )
            if topic in _FOR_DEPARTMENTS:
                operations[f"department.receives.{kind.label}"] = _operation("receive", name, kind)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Direct311 events",
            "version": "2.0.0",
            "description": (
                "CloudEvents 1.0, binary mode: attributes in headers, data in the body. A "
                "department reads routed.{department} and replies.{department} in a consumer group "
                "with its user's name, and writes updates.{department}."
            ),
        },
        "defaultContentType": "application/json",
        "servers": {"county": _server()},
        "channels": channels,
        "operations": operations,
        "components": {
            "messages": messages,
            "messageTraits": {"cloudevent": {"headers": _headers()}},
            "securitySchemes": {
                "scram": {
                    "type": "scramSha256",
                    "description": "SASL SCRAM-SHA-256 with the user dept-<department>",
                }
            },
        },
    }


def _server() -> Schema:
    return {
        "host": "{host}:{port}",
        "protocol": "kafka-secure",
        "description": (
            "The county's brokers, over TLS. The broker lets each user use only its own topics and "
            "consumer groups."
        ),
        "variables": {
            "host": {"description": "A broker, as the county tells you"},
            "port": {"default": "9093"},
        },
        "security": [{"$ref": "#/components/securitySchemes/scram"}],
    }


def _name(topic: str) -> str:
    return topic.replace("{department}", "department").replace(".", "_")


def _channel(topic: str) -> Schema:
    channel: Schema = {
        "address": topic,
        "messages": {},
        "servers": [{"$ref": "#/servers/county"}],
    }
    if "{department}" in topic:
        channel["parameters"] = {
            "department": {"description": "A department's code", "examples": ["public_works"]}
        }
        channel["bindings"] = {"kafka": {"partitions": 1, "bindingVersion": _KAFKA_BINDING}}
    return channel


def _message(kind: EventType) -> Schema:
    return {
        "name": kind.ce_type,
        "contentType": "application/json",
        "summary": summary(kind.model),
        "traits": [{"$ref": "#/components/messageTraits/cloudevent"}],
        "payload": {
            "schemaFormat": "application/schema+json;version=draft-2020-12",
            "schema": {"$ref": f"./schemas/{kind.name}.v{kind.version}.json"},
        },
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": _key(kind)},
                "bindingVersion": _KAFKA_BINDING,
            }
        },
    }


def _key(kind: EventType) -> str:
    fields = kind.model.model_fields
    if "record_id" in fields:
        return "The same as ce_subject: the record's id"
    return "The same as ce_subject"


def _operation(action: str, channel: str, kind: EventType) -> Schema:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{kind.label}"}],
    }


def _headers() -> Schema:
    def text(description: str, **more: Any) -> Schema:
        return {"type": "string", "description": description, **more}

    return {
        "type": "object",
        "required": ["ce_specversion", "ce_id", "ce_type", "ce_source", "ce_time"],
        "properties": {
            "ce_specversion": {"type": "string", "const": "1.0"},
            "ce_id": text("A UUID. The same id is the same event, however often it arrives"),
            "ce_type": text(f"{TYPE_PREFIX}<event>.v<version>"),
            "ce_source": text("/direct311/<service>, or /department/<department>"),
            "ce_subject": text("The record's id; the message's key is the same"),
            "ce_time": text("RFC 3339 with a zone", format="date-time"),
            "ce_dataschema": text("The name of the body's schema, a URN"),
            "content-type": text("application/json"),
            "traceparent": text("W3C Trace Context, if there is a trace"),
            "ce_keyid": text("The key of the signature, on signed events"),
            "ce_signature": text("Ed25519 in hex, on signed events"),
        },
    }
