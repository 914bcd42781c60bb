from reconix.build.archive.resolve import PackageNotFound, Unknown, near_names


def test_an_unknown_package_comes_with_names_that_may_have_been_meant() -> None:
    assert near_names("ngnix", ["nginx", "nginx-light", "zsh", "nano"]) == ["nginx"]
    unknown = [Unknown("ngnix", "gateway:web", ("nginx",)), Unknown("zz", "gateway:mqtt", ())]
    assert str(PackageNotFound(unknown, suites=["trixie", "sid"])) == (
        "trixie, sid have no package ngnix for gateway:web (did you mean nginx?), "
        "no package zz for gateway:mqtt"
    )
