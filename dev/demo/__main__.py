"""Tells the story; exits non-zero at the first thing that is not as told."""

import asyncio
import sys

from rich.console import Console

from dev.demo.organization import new_organization
from dev.demo.screen import Screen
from dev.demo.steps import STEPS
from dev.demo.story import NotAsToldError, Story
from dev.demo.tollgate import connect
from dev.stack.errors import StackError
from dev.stack.screen import show_problem
from dev.stack.settings import read_environment


def main() -> None:
    console = Console(highlight=False)
    screen = Screen(console)
    try:
        asyncio.run(tell(screen))
    except StackError as error:
        show_problem(console, error)
        sys.exit(1)
    except NotAsToldError as error:
        screen.show_failure(error.service, str(error))
        sys.exit(1)


async def tell(screen: Screen) -> None:
    async with connect(read_environment()) as tollgate:
        organization = new_organization()
        story = Story(tollgate, organization, screen)
        screen.begin(organization.organization_id)
        for title, play in STEPS:
            screen.begin_step(title)
            await play(story)
    screen.end()


if __name__ == "__main__":
    main()
