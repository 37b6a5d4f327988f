"""The object store: Versity S3 Gateway over a folder, with an account for each service that needs
it."""

import json
import os
from pathlib import Path

import botocore.session
from botocore.config import Config
from minio import Minio
from minio.commonconfig import ENABLED
from minio.error import S3Error
from minio.versioningconfig import VersioningConfig

from deploy.local.bootstrap import store_program
from deploy.local.environment import Place
from deploy.local.secret import Credentials, write_secret
from deploy.local.topology import Topology


def prepare(place: Place, topology: Topology, credentials: Credentials) -> None:
    """Makes the folders, and writes the accounts in the format of the gateway's own account store.

    The gateway's command for it takes the secrets as arguments, where every process can see them.
    """
    folder = place.data / "store"
    for name in ("objects", "versions", "accounts"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    if not _has_attributes(folder):
        (folder / "attributes").mkdir(exist_ok=True)
    accounts = {
        service.name: {
            "access": service.name,
            "secret": credentials.store[service.name],
            "role": "user",
            "userID": 0,
            "groupID": 0,
            "projectID": 0,
        }
        for service in topology.services
        if service.store
    }
    users = folder / "accounts" / "users.json"
    if not users.exists() or json.loads(users.read_text()) != {"accessAccounts": accounts}:
        write_secret(users, {"accessAccounts": accounts})


def command(place: Place) -> list[str]:
    folder = place.data / "store"
    words = [str(store_program()), "--port", place.address("store"), "--quiet"]
    words += ["--health", "/health", "--iam-dir", str(folder / "accounts")]
    words += ["posix", "--versioning-dir", str(folder / "versions")]
    if (folder / "attributes").exists():
        words += ["--sidecar", str(folder / "attributes")]
    return [*words, str(folder / "objects")]


def environment(topology: Topology, credentials: Credentials) -> dict[str, str]:
    root = topology.admin["store"]
    return {"ROOT_ACCESS_KEY": root, "ROOT_SECRET_KEY": credentials.store[root]}


def provision(place: Place, topology: Topology, credentials: Credentials) -> None:
    """Buckets, their versioning and their policies."""
    root = topology.admin["store"]
    client = Minio(
        place.address("store"),
        access_key=root,
        secret_key=credentials.store[root],
        secure=False,
        region="us-east-1",
    )
    for bucket in topology.buckets:
        if not client.bucket_exists(bucket_name=bucket.name):
            client.make_bucket(bucket_name=bucket.name, object_lock=bucket.object_lock)
        if bucket.versioned and not bucket.object_lock:
            client.set_bucket_versioning(bucket_name=bucket.name, config=VersioningConfig(ENABLED))
        policy = topology.bucket_policy(bucket)
        if policy is None:
            _without_policy(client, bucket.name)
        else:
            client.set_bucket_policy(bucket_name=bucket.name, policy=policy)
    _let_pages_in(place, topology, credentials)


def _let_pages_in(place: Place, topology: Topology, credentials: Credentials) -> None:
    """The buckets' CORS rules. Any origin is allowed: what counts is the signature in the URL,
    which the gateway gives only to its clients' pages; the store uses no cookies."""
    root = topology.admin["store"]
    client = botocore.session.get_session().create_client(
        "s3",
        region_name="us-east-1",
        endpoint_url=f"http://{place.address('store')}",
        aws_access_key_id=root,
        aws_secret_access_key=credentials.store[root],
        config=Config(s3={"addressing_style": "path"}),
    )
    for bucket in topology.buckets:
        if not bucket.pages:
            client.delete_bucket_cors(Bucket=bucket.name)
            continue
        rule = {
            "AllowedOrigins": ["*"],
            "AllowedMethods": list(bucket.pages),
            "AllowedHeaders": ["content-type", "if-none-match"],
            "MaxAgeSeconds": 600,
        }
        client.put_bucket_cors(Bucket=bucket.name, CORSConfiguration={"CORSRules": [rule]})


def _without_policy(client: Minio, bucket: str) -> None:
    try:
        client.delete_bucket_policy(bucket_name=bucket)
    except S3Error as error:
        if error.code != "NoSuchBucketPolicy":
            raise


def _has_attributes(folder: Path) -> bool:
    """Whether the file system supports extended attributes, where the gateway stores its
    metadata."""
    try:
        os.setxattr(folder, "user.direct311", b"1")
    except OSError:
        return False
    return True
