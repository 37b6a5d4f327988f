"""Which policy a submission is taken under, and what the resident is told with the answer."""

from direct311.intake.domain import wording
from direct311.intake.domain.language import Language
from direct311.intake.domain.policy import PolicyVersion, PrivacyPolicies
from direct311.intake.domain.submission import Submission
from direct311.intake.handlers.submit import Accepted
from direct311.runtime.clock import Clock
from direct311.runtime.errors import RefusedError


class Agreement:
    """The versions that the county has published, and the one in force."""

    def __init__(self, policies: PrivacyPolicies, clock: Clock) -> None:
        self._policies = policies
        self._clock = clock

    def in_force(self) -> PolicyVersion | None:
        """The policy that applies today."""
        return self._policies.in_force(self._clock.now().date())

    def of(self, submission: Submission) -> PolicyVersion:
        """The policy that a submission is taken under.

        :raises RefusedError: 503 where none is in force, 400 a version that never was, 409 where
            the one in force needs express consent and the submission does not name it.
        """
        policy = self.in_force()
        if policy is None:
            raise RefusedError(
                503, "no_policy", "No privacy policy is in force, so nothing is collected."
            )
        named = submission.policy_version
        if named is not None and self._policies.by_version(named) is None:
            raise _unknown("policy_version")
        notices = {each.email_notice.version for each in self._policies.policies}
        if submission.email_notice_version not in {None, *notices}:
            # It travels in events, so it is one of ours or none.
            raise _unknown("email_notice_version")
        if policy.express_consent and named != policy.version:
            raise RefusedError(
                409,
                "consent",
                f"the policy {policy.version} needs express consent: show it from "
                "GET /v1/policy and send its policy_version",
                field="policy_version",
            )
        return policy


def notice(accepted: Accepted, submission: Submission, language: Language = "en") -> str | None:
    """What the resident is told with the answer."""
    said = []
    if accepted.status == "identity_required":
        said.append(wording.IDENTITY_REQUIRED[language])
    if accepted.masked:
        said.append(wording.NUMBERS_REMOVED[language])
    if accepted.agreed == "by_use" and submission.policy_version is not None:
        changed = wording.POLICY_CHANGED[language]
        said.append(changed.format(version=accepted.policy_version))
    if accepted.delivery == "batch":
        said.append(wording.BATCH[language])
    if accepted.delivery == "blackbox":
        said.append(wording.BLACKBOX[language])
    return " ".join(said) or None


def _unknown(field: str) -> RefusedError:
    return RefusedError(400, "malformed", f"{field} must be one from GET /v1/policy", field=field)
