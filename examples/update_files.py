# Put the files of a folder on a dump, a card or a board: all of them or, if one does not fit,
# none. Files of earlier versions are removed in the same step.
#
#     python3 examples/update_files.py files dump.bin:/flash old.py older.py

import sys

import maixfs


def main(folder, place, *obsolete):
    target, _, path = place.partition(":")
    with maixfs.open(target, "r+") as image:
        copied = maixfs.copy(folder + "/.", (image, path))
        for name in obsolete:
            if image.exists(path + "/" + name):
                image.remove(path + "/" + name)
        for record in copied.files:
            print("written" if record.changed else "as it was", record.path, record.sha256[:16])
        images = image.commit()
    print(len(images), "files of this computer were changed")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except maixfs.MaixfsError as error:
        sys.exit("nothing was changed: %s (%s)" % (error, error.hint))
