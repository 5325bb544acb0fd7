"""What the person at the terminal sees of the story."""

from rich.console import Console
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

SERVICE_WIDTH = len("billing_gateway")


class Screen:
    """One block for each step: what happens, and what is answered."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._step_count = 0

    def begin(self, organization_id: str) -> None:
        self._console.print(f"The story of organization {organization_id}")

    def begin_step(self, title: str) -> None:
        self._step_count += 1
        self._console.print()
        self._console.print(Rule(f"[bold]{self._step_count}. {title}", align="left"))

    def show_event(self, service: str, what: str) -> None:
        self._show("→", "cyan", service, what)

    def show_answer(self, service: str, what: str, answer: str) -> None:
        self.show_event(service, f"{what}: {answer}")

    def show_sight(self, service: str, seen: str) -> None:
        self._show("✓", "green", service, seen)

    def show_failure(self, service: str, failure: str) -> None:
        self._show("✗", "bold red", service, failure)

    def end(self) -> None:
        self._console.print("\n[bold green]All is as told.")

    def _show(self, mark: str, style: str, service: str, text: str) -> None:
        grid = Table.grid(padding=(0, 2))
        grid.add_column(style=style)
        grid.add_column(min_width=SERVICE_WIDTH, style=style)
        grid.add_column()
        grid.add_row(mark, service, Text(text))
        self._console.print(grid)
