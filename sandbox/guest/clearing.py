"""Remove what hostile code has left: folders of any depth and any mode, and whatever else has a name."""

import os


def remove(path, aside):
    """Remove `path`, a folder with all it holds or anything else. `aside` is a folder of ours on the same disk."""
    if os.path.isdir(path) and not os.path.islink(path):
        clear(path, aside)
        os.rmdir(path)
    else:
        os.unlink(path)


def clear(folder, aside):
    """Empty a folder. Subfolders are moved into `aside` before they are emptied, so that no path ever grows long."""
    pending = [folder]
    while pending:
        at = pending[-1]
        os.chmod(at, 0o700)
        with os.scandir(at) as entries:
            below = list(entries)
        for item in below:
            if item.is_dir(follow_symlinks=False):
                target = f"{aside}/.dropped-{os.urandom(8).hex()}"
                os.chmod(item.path, 0o700)  # a folder can be moved only by who may write into it
                os.rename(item.path, target)
                pending.append(target)
            else:
                os.unlink(item.path)
        if pending[-1] == at:
            pending.pop()
            if at != folder:
                os.rmdir(at)
