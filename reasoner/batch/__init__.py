"""Many tasks over one core and one sandbox: records in an append-only file, and resumed by doing the same again.

admission when another task may begin
attempts  one attempt at a task, and who makes it
cluster   the nodes of a Ray cluster as makers of attempts (the extra `ray`)
folder    the output directory: whose run it is, what is done, where traces go
problems  which tasks of a file or directory, in which order
records   what became of a task, one line each
runner    many tasks in flight; the only part that drives
summary   what all the records come to
timing    where the seconds of a search went
"""

from reasoner.batch.admission import Admission, open_more_files
from reasoner.batch.attempts import Attempted, Here, Job, Maker
from reasoner.batch.folder import Folder, held_settings
from reasoner.batch.problems import Problems, Selection, read_problems
from reasoner.batch.records import Record, read_records
from reasoner.batch.runner import Watcher, drive, run
from reasoner.batch.summary import Summary, summarise

__all__ = [
    "Admission",
    "Attempted",
    "Folder",
    "Here",
    "Job",
    "Maker",
    "Problems",
    "Record",
    "Selection",
    "Summary",
    "Watcher",
    "drive",
    "held_settings",
    "open_more_files",
    "read_problems",
    "read_records",
    "run",
    "summarise",
]
