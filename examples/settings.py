# Settings that survive a power cut: a new file first, then renamed onto the old one.
# Runs on a board and on a virtual one: maixfs run examples/settings.py
import ujson
import uos

NAME = "settings.json"
DRAFT = "settings.new"


def load():
    # Power may fail between the two steps of a rename; then only the draft is there.
    for name in (NAME, DRAFT):
        try:
            with open(name) as f:
                return ujson.load(f)
        except (OSError, ValueError):
            pass
    return {"starts": 0}


def save(settings):
    with open(DRAFT, "w") as f:
        ujson.dump(settings, f)
    uos.rename(DRAFT, NAME)


settings = load()
settings["starts"] += 1
save(settings)
print("this is start number", settings["starts"])
