"""Which policy a submission is accepted under, and what the resident is told in the answer."""

from functools import lru_cache

from direct311.intake.catalogue.domain import wording
from direct311.intake.catalogue.domain.policy import PolicyVersion, PrivacyPolicies
from direct311.intake.county import day_of
from direct311.intake.language import Language
from direct311.intake.submission.domain.submission import Submission
from direct311.intake.submission.handlers.submit import Accepted
from direct311.runtime.clock import Clock
from direct311.runtime.errors import FieldProblem, MalformedError, RefusedError


class ConsentNeededError(RefusedError):
    """The policy in force needs express consent. The front end must show `policy` and send its
    version."""

    def __init__(self, policy: PolicyVersion, language: Language, read_at: str) -> None:
        text = policy.texts[language]
        super().__init__(
            "consent",
            wording.CONSENT_NEEDED[language].format(version=policy.version, read_at=read_at)
            + f" {text.title}. {text.body}".rstrip(),
            field="policy_version",
        )
        self.policy = policy


class Agreement:
    """The versions that the county has published, and the one in force.

    :param read_at: the address where anyone can read them.
    """

    def __init__(
        self, policies: PrivacyPolicies, clock: Clock, read_at: str = "/v1/policy"
    ) -> None:
        self._policies = policies
        self._clock = clock
        self._read_at = read_at
        self._notices = {each.email_notice.version for each in policies.policies}
        # Most submissions get the same text.
        self._applies = lru_cache(maxsize=256)(self._applying)

    @property
    def policies(self) -> PrivacyPolicies:
        """All versions."""
        return self._policies

    def in_force(self) -> PolicyVersion | None:
        """The policy that applies today. A version takes effect at the start of its day in the
        county."""
        return self._policies.in_force(day_of(self._clock.now()))

    def of(self, submission: Submission, *, language: Language = "en") -> PolicyVersion:
        """The policy that a submission is accepted under. A caller that names an older version, or
        no version, agrees by use (P2).

        :raises RefusedError: no policy is in force, or there was never such a version.
        :raises ConsentNeededError: the policy in force needs express consent and the submission
            does not name it.
        """
        policy = self.in_force()
        if policy is None:
            raise RefusedError(
                "no_policy",
                "No privacy policy is in force, so nothing is collected.",
                retry_after=3600,
            )
        named = submission.policy_version
        if named is not None and self._policies.by_version(named) is None:
            raise _unknown("policy_version")
        if submission.email_notice_version not in {None, *self._notices}:
            # It goes into events, so it must be one of our versions or empty.
            raise _unknown("email_notice_version")
        if policy.express_consent and named != policy.version:
            raise ConsentNeededError(policy, language, self._read_at)
        return policy

    def notice(
        self, accepted: Accepted, submission: Submission, language: Language = "en"
    ) -> str | None:
        """What the resident is told in the answer; `None` if there is nothing to say. First comes
        what to do at once, then what happens to the request, then what was done with the text, and
        last what the policy itself asks us to say."""
        # Danger to life comes first, in all three languages, because people read it in a hurry.
        said = list(accepted.guidance.values())
        if accepted.delivery == "batch" and accepted.token is not None:
            said.append(wording.BATCH[language])
        if accepted.delivery == "blackbox":
            said.append(wording.BLACKBOX[language])
        if accepted.status == "identity_required":
            said.append(wording.IDENTITY_REQUIRED[language])
        if accepted.masked:
            said.append(wording.NUMBERS_REMOVED[language])
        if submission.place_id_left_out:
            said.append(wording.PLACE_ID_LEFT_OUT[language])
        if changed := self._changed(accepted, submission, language):
            said.append(changed)
        if told := self._email_notice(accepted, submission, language):
            said.append(told)
        return " ".join(said) or None

    def _changed(
        self, accepted: Accepted, submission: Submission, language: Language
    ) -> str | None:
        if accepted.agreed != "by_use":
            return None
        return self._applies(accepted.policy_version, submission.policy_version, language)

    def _applying(self, version: str, named: str | None, language: Language) -> str | None:
        """Says which version applies, and what changed since the version that the caller named."""
        policy = self._policies.by_version(version)
        if policy is None:
            return None
        changes = [
            each.changes[language]
            for each in self._policies.since(named, policy)
            if language in each.changes
        ]
        return wording.POLICY_APPLIES[language].format(
            version=policy.version,
            date=policy.effective_from.isoformat(),
            changes=wording.POLICY_NEWS[language].format(changes=" ".join(changes))
            if changes
            else "",
            read_at=self._read_at,
        )

    def _email_notice(
        self, accepted: Accepted, submission: Submission, language: Language
    ) -> str | None:
        """For an e-mail address that came without the notice in force: the rule, and where to read
        it."""
        policy = self._policies.by_version(accepted.policy_version)
        if policy is None or not submission.contact.get("email"):
            return None
        notice = policy.email_notice
        if submission.email_notice_version == notice.version:
            return None
        return wording.EMAIL_NOTICE[language].format(version=notice.version, read_at=self._read_at)


def _unknown(field: str) -> RefusedError:
    detail = f"{field} must be one from GET /v1/policy"
    return MalformedError([FieldProblem(field=field, detail=detail, code="unknown_version")])
