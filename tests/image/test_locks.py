def test_replacing_an_image_that_is_edited_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maixfs.image.source.PATIENCE", 0)
    place = make_bare(tmp_path, SMALL)
    (tmp_path / "files").mkdir()
    with open_image(place.host, "r+") as image:
        image.write_bytes("/new", b"new")
        with pytest.raises(ImageBusyError):
            pack_folder(tmp_path / "files", place.host, SMALL, force=True)
    with open_image(place.host) as image:
        assert image.read_bytes("/new") == b"new"
