"""Messages to residents, in their languages. English governs.

No native speaker has reviewed the translations.
"""

from collections.abc import Mapping

from direct311.intake.catalogue.domain.types import AskedIf, Attribute, ServiceType
from direct311.intake.language import Language
from direct311.schemas.events import RequestStatus

Wording = Mapping[Language, str]

IDENTITY_REQUIRED: Wording = {
    "en": (
        "A code-enforcement complaint needs your first and last name and your address, which "
        "become public record. Until then it is held (sections 125.69 and 162.06, F.S.)."
    ),
    "es": (
        "Una queja por infracción de códigos necesita su nombre, su apellido y su dirección, que "
        "pasan a ser registro público. Hasta entonces queda en espera (secciones 125.69 y 162.06 "
        "de los Estatutos de Florida)."
    ),
    "ht": (
        "Yon plent sou vyolasyon kòd bezwen non ou, siyati ou ak adrès ou, ki vin dosye piblik. "
        "Anvan sa, nou kenbe l an atant (seksyon 125.69 ak 162.06 Lwa Florid)."
    ),
}
NUMBERS_REMOVED: Wording = {
    "en": "Card, bank or social-security numbers in your text were removed.",
    "es": "Se quitaron de su texto números de tarjeta, de cuenta bancaria o de seguro social.",
    "ht": "Nou retire nimewo kat, nimewo bank oswa nimewo sekirite sosyal ki te nan tèks ou a.",
}
PLACE_ID_LEFT_OUT: Wording = {
    "en": "The address_id was left out: it could be somebody's number. The place was taken without "
    "it.",
    "es": "Se omitió address_id porque podría ser el número de una persona; el lugar se tomó sin "
    "él.",
    "ht": "Nou kite address_id la deyò paske li ka nimewo yon moun; nou pran kote a san li.",
}
POLICY_APPLIES: Wording = {
    "en": "By use you agree to the privacy policy {version}, in force since {date}{changes}: "
    "{read_at}",
    "es": "Con el uso usted acepta la política de privacidad {version}, vigente desde "
    "{date}{changes}: {read_at}",
    "ht": "Lè ou sèvi ak sèvis la, ou dakò ak règ vi prive {version}, anvigè depi {date}{changes}: "
    "{read_at}",
}
POLICY_NEWS: Wording = {
    "en": " (new: {changes})",
    "es": " (nuevo: {changes})",
    "ht": " (nouvo: {changes})",
}
EMAIL_NOTICE: Wording = {
    "en": "E-mail addresses are public records (section 668.6076, F.S.; notice {version}): "
    "{read_at}",
    "es": "Las direcciones de correo electrónico son registros públicos (sección 668.6076, F.S.; "
    "aviso {version}): {read_at}",
    "ht": "Adrès imèl se dosye piblik (seksyon 668.6076, F.S.; avi {version}): {read_at}",
}
CONSENT_NEEDED: Wording = {
    "en": "The privacy policy {version} needs express consent: show it ({read_at}) and send its "
    "policy_version.",
    "es": "La política de privacidad {version} requiere consentimiento expreso: muéstrela "
    "({read_at}) y envíe su policy_version.",
    "ht": "Règ vi prive {version} mande konsantman eksplisit: montre l ({read_at}) epi voye "
    "policy_version li.",
}
"""`version`: the policy's, or the notice's; `read_at`: where."""
CALL_NUMBER: Wording = {
    "en": "The number of your request is {number}.",
    "es": "El número de su solicitud es {number}.",
    "ht": "Nimewo demann ou an se {number}.",
}
CALL_CODE: Wording = {
    "en": "A code is sent to your e-mail address. It is good for ten minutes; with it and the "
    "number you can open your request.",
    "es": "Se envía un código a su dirección de correo electrónico. Es válido durante diez "
    "minutos; con él y con el número puede abrir su solicitud.",
    "ht": "Nou voye yon kòd nan adrès imèl ou. Li bon pandan dis minit; avèk li ak nimewo a, ou ka "
    "louvri demann ou an.",
}
CALL_POLICY: Wording = {
    "en": "Read the privacy policy {version} to the caller before you take the request, and send "
    "its version. {title}. {body}",
    "es": "Lea la política de privacidad {version} a quien llama antes de tomar la solicitud, y "
    "envíe su versión. {title}. {body}",
    "ht": "Li règ vi prive {version} bay moun k ap rele a anvan ou pran demann lan, epi voye "
    "vèsyon li. {title}. {body}",
}
"""For who takes a call: `version`, `title` and `body` of the policy in force."""
BATCH: Wording = {
    "en": "You will find the number of your request with the token, once its place was checked.",
    "es": (
        "Encontrará el número de su solicitud con el código (token), una vez verificado el lugar."
    ),
    "ht": "W ap jwenn nimewo demann ou an ak kòd la (token), lè nou fin verifye kote a.",
}
BLACKBOX: Wording = {
    "en": "A request of this kind has no public number and does not show in public.",
    "es": "Una solicitud de este tipo no tiene número público ni se muestra al público.",
    "ht": "Yon demann kalite sa a pa gen nimewo piblik epi li pa parèt an piblik.",
}
CONTACT_LEFT_OUT: Wording = {
    "en": (
        "Your contact data were not kept: the county collects them only with a request. Whose "
        "request it is adds to it by its signed link."
    ),
    "es": (
        "Sus datos de contacto no se guardaron: el condado solo los recoge con una solicitud. "
        "Quien hizo la solicitud le añade información por su enlace firmado."
    ),
    "ht": (
        "Nou pa kenbe enfòmasyon kontak ou: konte a pran yo sèlman ak yon demann. Moun ki te fè "
        "demann lan ajoute sou li ak lyen siyen li an."
    ),
}
STATUSES: Mapping[Language, Mapping[RequestStatus, str]] = {
    "en": {
        "received": "Received.",
        "identity_required": (
            "Held: a code-enforcement complaint needs its reporter's name and address, which "
            "become public record."
        ),
        "routed": "With the department.",
        "in_progress": "Work has begun.",
        "on_hold": "On hold.",
        "referred": "Referred to another body.",
        "duplicate": "Closed: another request is about the same.",
        "fixed": "Closed: fixed.",
        "closed": "Closed.",
        "closed_unfounded": "Closed: nothing was found.",
        "withdrawn": "Closed: withdrawn.",
    },
    "es": {
        "received": "Recibida.",
        "identity_required": (
            "En espera: una queja por infracción de códigos necesita el nombre y la dirección de "
            "quien la presenta, que pasan a ser registro público."
        ),
        "routed": "En manos del departamento.",
        "in_progress": "El trabajo ha comenzado.",
        "on_hold": "En pausa.",
        "referred": "Remitida a otro organismo.",
        "duplicate": "Cerrada: otra solicitud trata de lo mismo.",
        "fixed": "Cerrada: resuelta.",
        "closed": "Cerrada.",
        "closed_unfounded": "Cerrada: no se encontró nada.",
        "withdrawn": "Cerrada: retirada.",
    },
    "ht": {
        "received": "Nou resevwa l.",
        "identity_required": (
            "An atant: yon plent sou vyolasyon kòd bezwen non ak adrès moun ki fè l la, ki vin "
            "dosye piblik."
        ),
        "routed": "Nan men depatman an.",
        "in_progress": "Travay la kòmanse.",
        "on_hold": "An poz.",
        "referred": "Voye bay yon lòt òganis.",
        "duplicate": "Fèmen: gen yon lòt demann sou menm bagay la.",
        "fixed": "Fèmen: yo ranje l.",
        "closed": "Fèmen.",
        "closed_unfounded": "Fèmen: yo pa jwenn anyen.",
        "withdrawn": "Fèmen: yo retire l.",
    },
}
_ONLY_IF: Wording = {
    "en": "Only if the answer to “{question}” is {answers}.",
    "es": "Solo si la respuesta a «{question}» es {answers}.",
    "ht": "Sèlman si repons pou « {question} » se {answers}.",
}
_NEEDED_THEN: Wording = {
    "en": "It must then be answered.",
    "es": "En ese caso hay que responder.",
    "ht": "Nan ka sa a, fòk ou reponn.",
}
_QUOTED: Wording = {"en": "“{name}”", "es": "«{name}»", "ht": "« {name} »"}
_OR: Wording = {"en": " or ", "es": " o ", "ht": " oswa "}


def condition(service: ServiceType, attribute: Attribute, language: Language) -> str:
    """When a conditional question is asked, in a sentence; empty for others.

    `service` and `attribute` have the words of the same language.
    """
    asked_if = attribute.asked_if
    if asked_if is None:
        return ""
    said = _ONLY_IF[language].format(
        question=_question(service, asked_if), answers=_answers(service, asked_if, language)
    )
    return f"{said} {_NEEDED_THEN[language]}" if attribute.required else said


def _question(service: ServiceType, asked_if: AskedIf) -> str:
    other = service.questions.get(asked_if.code)
    return other.description if other else asked_if.code


def _answers(service: ServiceType, asked_if: AskedIf, language: Language) -> str:
    other = service.questions.get(asked_if.code)
    names = {each.key: each.name for each in other.values} if other else {}
    return _OR[language].join(
        _QUOTED[language].format(name=names.get(key, key)) for key in asked_if.values
    )
