"""Small generations in a real store: one system, a few files."""

from reconix.base.documents import print_json
from reconix.nix.chroot import ChrootStore
from reconix.nix.images import DeviceTrees, system_images
from reconix.store.paths import StorePath
from reconix.store.tree import File, Folder, Symlink, folder


def toplevel(store: ChrootStore, page: str = "a", **more: str) -> StorePath:
    files = {"www/page": File(page.encode()), **{n: File(t.encode()) for n, t in more.items()}}
    etc = store.add_files(folder(files), "etc")
    system = folder({"etc": Symlink(str(etc)), "init": Symlink("/usr/lib/systemd/systemd")})
    return store.add_files(system, "system-web", [etc])


def generation(store: ChrootStore, web: StorePath, *, host: str = "gw") -> StorePath:
    boot = store.add_files(folder({"x": File(b"")}), "boot")
    images = [image.entry.sha256.hex() for image in system_images(DeviceTrees(store), web)]
    text = print_json(
        {
            "version": 2,
            "host": host,
            "architecture": "amd64",
            "default": "web",
            "systems": {"web": {"toplevel": str(web), "images": images}},
            "boot": str(boot),
            "slot": {"image_sha256": "0" * 64, "image_size_bytes": 512, "slot_size_bytes": 512},
        }
    )
    files: dict[str, File | Symlink | Folder] = {
        "generation.json": File(text),
        "systems/web": Symlink(str(web)),
    }
    tree: Folder = folder(files)
    return store.add_files(tree, f"generation-{host}", [boot, web])
