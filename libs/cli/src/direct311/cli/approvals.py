"""On the approver's own machine: a sign-in for exactly what was shown, and the approval of it."""

import webbrowser
from collections.abc import Callable, Mapping
from typing import Any

import typer
from rich.console import Console

from direct311.cli.stack import Session

SERVICE = "retention"


async def sign_in_again(*given: Any, **named: Any) -> Any:
    """As `fresh_sign_in.sign_in_again`, which takes as long to load as a whole command: it is
    loaded when somebody approves, not whenever the command starts."""
    from direct311.cli import fresh_sign_in

    return await fresh_sign_in.sign_in_again(*given, **named)


async def approve(
    session: Session,
    path: str,
    nonce: str,
    body: Mapping[str, object],
    *,
    page: Callable[[str], object] | None,
    console: Console,
    errors: Console,
    told: Callable[[Any], str] | None = None,
) -> None:
    """Sign in again for what has this nonce, send the approval, and print what is still missing.

    :param path: of the call that approves.
    :param body: what it takes besides the ID token.
    :param page: shows the address of the provider's page; `None` opens the page here.
    :param told: what to print of the answer, in place of what is still missing.
    """
    from direct311.cli.fresh_sign_in import SignInError
    from direct311.runtime.access.fresh_sign_in import Approvals
    from direct311.runtime.access.identity import Issuer

    known = session.stack
    try:
        done = await sign_in_again(
            Approvals(known.issuer, known.approval_client),
            Issuer(known.issuer, session.http),
            session.http,
            nonce,
            page or webbrowser.open,
            audience=known.audiences[SERVICE],
        )
    except SignInError as error:
        errors.print(str(error), style="red")
        raise typer.Exit(1) from None
    answer: Any = await session.http.post_json(
        known.services[SERVICE] + path,
        {**body, "id_token": done.approval.id_token},
        {"Authorization": f"Bearer {done.access_token}"},
    )
    if told is not None:
        console.print(told(answer), highlight=False)
        return
    missing = ", ".join(answer["missing"])
    console.print(f"Still to approve: {missing}" if missing else answer["state"])
