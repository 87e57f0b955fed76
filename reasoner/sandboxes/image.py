"""The image that Docker worlds run: the same root as bubblewrap's, imported; or the guest on a base from a registry.

Its tag is a hash of what went into it, so an image that is there is the right one.
"""

import contextlib
import hashlib
import json
import shutil
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from reasoner.content import content_dir
from reasoner.errors import SandboxError
from reasoner.sandboxes import rootfs
from reasoner.sandboxes.interpreter import Interpreter
from reasoner.sandboxes.rootfs import COMMAND, Progress

REPOSITORY = "reasoner-sandbox"
_BUILD_S = 600


def imported(api: Any, found: Interpreter, progress: Progress) -> str:
    """The tag of the image that holds `found`, imported now if it is not there. Needs no registry.

    Raises:
        SandboxError: the root cannot be built, or the engine does not take it.
    """
    tag = rootfs.digest(found)
    if not _has(api, tag):
        root = rootfs.rootfs(found, progress)
        progress("importing the sandbox's root into Docker")
        with tempfile.TemporaryFile() as archive:
            _pack(root, archive)
            archive.seek(0)
            pieces = iter(lambda: archive.read(1 << 20), b"")
            api.import_image_from_stream(
                pieces, repository=REPOSITORY, tag=tag, changes=[f"ENTRYPOINT {json.dumps(COMMAND)}"]
            )
        if not _has(api, tag):
            raise SandboxError(f"the Docker engine did not take the image {REPOSITORY}:{tag}: see its log")
    return f"{REPOSITORY}:{tag}"


def built(api: Any, base: str, site: str, progress: Progress) -> str:
    """The tag of the image on `base`, whose Python looks for packages in `site`; built now if it is not there.

    Raises:
        SandboxError: the base cannot be had, or the build fails.
    """
    additions = rootfs.additions()
    summed = hashlib.sha256(f"{base}\0{site}".encode())
    for place, file in additions:
        summed.update(place.encode() + file.read_bytes())
    tag = f"{rootfs.build()}-{summed.hexdigest()[:8]}"
    if not _has(api, tag):
        progress(f"building the sandbox's image on {base}")
        with tempfile.TemporaryDirectory() as folder:
            _context(Path(folder), additions)
            _build(api, folder, tag, {"BASE": base, "SITE": site})
    return f"{REPOSITORY}:{tag}"


def prune(api: Any) -> int:
    """Remove images of other builds that no container uses; how many there were."""
    import docker

    count = 0
    for image in api.images(REPOSITORY):
        for name in image["RepoTags"] or ():
            if not name.startswith(f"{REPOSITORY}:{rootfs.build()}-"):
                with contextlib.suppress(docker.errors.APIError):  # it is in use
                    api.remove_image(name)
                    count += 1
    return count


def _has(api: Any, tag: str) -> bool:
    return bool(api.images(f"{REPOSITORY}:{tag}"))


def _pack(root: Path, archive: Any) -> None:
    def of_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = 0
        member.uname = member.gname = ""
        return member

    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.add(root, arcname=".", filter=of_root)


def _context(folder: Path, additions: list[tuple[str, Path]]) -> None:
    shutil.copy(content_dir("sandbox") / "Dockerfile", folder / "Dockerfile")
    root = folder / "root"
    for mount in ("slots", rootfs.PROJECT):
        (root / mount).mkdir(parents=True)
    (root / "slots").chmod(0o1777)
    (root / "workspace").symlink_to("/proc/self/cwd")
    for place, file in additions:
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, root / place)
    (folder / "reasoner.pth").write_text(rootfs.SEARCHED, encoding="utf-8")


def _build(api: Any, folder: str, tag: str, arguments: dict[str, str]) -> None:
    answers = api.build(
        path=folder, tag=f"{REPOSITORY}:{tag}", buildargs=arguments, rm=True, decode=True, timeout=_BUILD_S
    )
    failed = [answer["error"] for answer in answers if "error" in answer]
    if failed:
        raise SandboxError(f"the image on {arguments['BASE']} cannot be built: {failed[0].strip()}")
