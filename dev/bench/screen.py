"""What the person at the terminal sees while it is measured."""

from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

# A bar must not take the processor from what is measured.
REFRESHES_PER_SECOND = 2


@dataclass(frozen=True, slots=True)
class Bar:
    """How far one thing is, and what of it is in hand."""

    progress: Progress
    task: TaskID

    def begin(self, detail: str) -> None:
        self.progress.update(self.task, detail=detail)

    def advance(self, by: int = 1) -> None:
        self.progress.advance(self.task, by)


def bars(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        TextColumn("[dim]{task.fields[detail]}"),
        console=console,
        refresh_per_second=REFRESHES_PER_SECOND,
    )


def add_bar(progress: Progress, what: str, total: int) -> Bar:
    return Bar(progress, progress.add_task(what, total=total, detail=""))
