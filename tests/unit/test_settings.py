"""Settings: what a file may contain, where its paths start, and that no secret is ever shown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from etl.domain.errors import ConfigError
from etl.settings import CONFIG_VARIABLE, Settings, load_settings
from etl.settings.model import Quality

SECRET = "s3cret-Passw0rd"
GOOD = """
[insurance]
url = "postgresql://reader:${DB_PASSWORD}@db.example.vn:5433/bhxh?sslmode=verify-full"
table = "nguoi"
[population]
url = "sqlite:///registers/population.db"
query = "select 1"
[target]
url = "sqlite:////srv/target.db"
"""


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Settings]:
    monkeypatch.setenv("DB_PASSWORD", SECRET)

    def write_and_load(content: str) -> Settings:
        file = tmp_path / "doisoat.toml"
        file.write_text(content, encoding="utf-8")
        return load_settings(file)

    return write_and_load


def test_variables_of_the_environment_are_put_in(load: Callable[[str], Settings]) -> None:
    assert load(GOOD).insurance.parsed.password == SECRET


def test_the_kind_of_a_database_may_be_written_in_capitals(
    load: Callable[[str], Settings],
) -> None:
    """Only the scheme ignores case, as in any URL (RFC 3986, 3.1); the rest stays as it is."""
    loud = GOOD.replace("postgresql:", "PostgreSQL:").replace("sqlite:////srv", "SQLITE:////Srv")
    loaded = load(loud.replace('sqlite:///registers/population.db"\nquery = "select 1"',
                               'PARQUET:///Lake"'))  # fmt: skip
    assert loaded.insurance.parsed.get_backend_name() == "postgresql"
    assert loaded.population.in_lake
    assert str(loaded.population.parsed.database).endswith("/Lake")
    assert loaded.target.parsed.database == "/Srv/target.db"


def test_variables_are_put_into_the_items_of_a_list(
    load: Callable[[str], Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = load(GOOD + '[alerts]\nurls = ["json://duty:${DB_PASSWORD}@host/hook"]\n')

    assert loaded.alerts.receivers == (f"json://duty:{SECRET}@host/hook",)
    assert SECRET not in repr(loaded) + loaded.model_dump_json()
    monkeypatch.delenv("DB_PASSWORD")
    with pytest.raises(ConfigError, match="DB_PASSWORD"):
        load(GOOD + '[alerts]\nurls = ["json://duty:${DB_PASSWORD}@host/hook"]\n')


ANY = "a@b/c#d%41 e+f:g?h'i&j=k[l"


def test_a_receivers_password_of_any_characters_may_stand_beside_its_url(
    load: Callable[[str], Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAIL_PASSWORD", ANY)
    beside = '{ url = "json://host.vn/hook?x=a@b", user = "duty", password = "${MAIL_PASSWORD}" }'
    loaded = load(GOOD + f'[alerts]\nurls = [{beside}, "json://host/x"]\n')

    first = urlsplit(loaded.alerts.receivers[0])
    assert first.hostname == "host.vn"
    assert first.username == "duty"
    assert unquote(first.password or "") == ANY
    assert ANY not in repr(loaded) + loaded.model_dump_json()
    with pytest.raises(ConfigError, match=r"number 1: .*pasword: is not a setting"):
        load(GOOD + '[alerts]\nurls = [{ url = "json://h", pasword = "${MAIL_PASSWORD}" }]\n')


@pytest.mark.parametrize("url", ["json://duty:{}@host/hook", "mailto://duty:{}@host?to=a@b.vn"])
@pytest.mark.parametrize(
    "password",
    ["abcd@efgh", "abcd/efgh", "1234/efgh", "abcd#efgh", "1234#efgh", "abcd%41efgh", "abcd:efgh",
     "abcd?efgh", "1234?efgh", "abcd[efgh", ANY],
)  # fmt: skip
def test_a_raw_character_in_a_receivers_password_is_refused_and_not_shown(
    load: Callable[[str], Settings], monkeypatch: pytest.MonkeyPatch, url: str, password: str
) -> None:
    monkeypatch.setenv("MAIL_PASSWORD", password)

    for written in ("${MAIL_PASSWORD}", password):
        with pytest.raises(ConfigError, match="password beside it") as caught:
            load(GOOD + f'[alerts]\nurls = ["{url.format(written)}"]\n')
        assert not any(part in str(caught.value) for part in ("abcd", "1234", "efgh", "duty"))


@pytest.mark.parametrize(
    "url",
    ["json://duty:a b+c@host/x", "json://duty:a%40b%2Fc%3Ad@host/x", "json://host:8080/a%40b",
     "tgram://123456789:abcdefg_hijklmnop-abcdefghijklmno/@channel",
     "mailto://duty:secret@host:25?from=a@b.vn&to=c@d.vn"],
)  # fmt: skip
def test_receivers_as_apprise_writes_them_are_taken(
    load: Callable[[str], Settings], url: str
) -> None:

    assert load(GOOD + f'[alerts]\nurls = ["{url}"]\n').alerts.receivers == (url,)


def test_words_of_a_register_are_mapped(load: Callable[[str], Settings]) -> None:
    mapped = load(GOOD + '[population.values.status]\nD = "deceased"\n')
    assert mapped.population.values == {"status": {"D": "deceased"}}
    assert load(GOOD + '[insurance.values.province_code]\nTPHN = "01"\n')


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ('[population.values.status]\nD = "dead"', "alive, deceased, other"),
        ('[insurance.values.gender]\n"1" = "X"', "M, F"),
        ('[insurance.values.province_code]\nH = "999"', "01, 04, 08"),
        ('[insurance.values.full_name]\na = "b"', "gender, compulsory_si"),
    ],
)
def test_a_meaning_that_is_none_is_refused_without_the_spelling(
    load: Callable[[str], Settings], section: str, told: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(f"{GOOD}{section}\n")
    assert told in str(caught.value)
    assert "values." in str(caught.value)


def test_a_variable_that_is_not_set_is_named_with_its_setting(
    load: Callable[[str], Settings], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("DB_PASSWORD")

    with pytest.raises(ConfigError) as caught:
        load(GOOD)

    assert "'insurance.url'" in caught.value.what
    assert "DB_PASSWORD" in caught.value.what
    assert caught.value.where == str(tmp_path / "doisoat.toml")


def test_relative_paths_start_at_the_file_whatever_the_current_folder(
    load: Callable[[str], Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    settings = load('home = "data"\n' + GOOD)

    assert settings.home == tmp_path / "data"
    assert settings.warehouse_path == tmp_path / "data" / "warehouse.duckdb"
    assert settings.dagster_home == tmp_path / "data" / "dagster"
    assert settings.population.parsed.database == str(tmp_path / "registers" / "population.db")
    assert settings.target.parsed.database == "/srv/target.db"


def test_home_lies_beside_the_file_unless_told_otherwise(
    load: Callable[[str], Settings], tmp_path: Path
) -> None:
    assert load(GOOD).home == tmp_path / ".doisoat"


def test_no_way_of_showing_the_settings_shows_the_password(
    load: Callable[[str], Settings],
) -> None:
    settings = load(GOOD)

    shown = [
        str(settings),
        repr(settings),
        str(settings.insurance),
        repr(settings.insurance.url),
        str(settings.insurance.parsed),
        settings.model_dump_json(),
        str(settings.model_dump()),
        settings.insurance.shown,
    ]

    assert not any(SECRET in text for text in shown)
    assert settings.insurance.shown == "postgresql://db.example.vn:5433/bhxh"


@pytest.mark.parametrize(
    "spoilt",
    [
        GOOD.replace(":5433", ":54x3"),
        GOOD.replace('table = "nguoi"', ""),
        GOOD.replace("[target]", "[targte]"),
        GOOD.replace('table = "nguoi"', "table = 7"),
        GOOD.replace("postgresql://reader", "reader"),
        GOOD + 'schema = "Not; Allowed"\n',
        GOOD + '[alerts]\nurls = ["pigeon://user:${DB_PASSWORD}@host"]\n',
    ],
)
def test_no_message_shows_the_password(load: Callable[[str], Settings], spoilt: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(spoilt)

    error: BaseException | None = caught.value
    assert SECRET not in str(error)
    assert caught.value.remedy
    # A chained error would be printed, too.
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    ("spoilt", "said"),
    [
        (GOOD + "colour = 1\n", "target.colour: is not a setting"),
        ("hoem = 1\n" + GOOD, "hoem: is not a setting"),
        (GOOD.split("[target]", maxsplit=1)[0], "target: is required and missing"),
        (GOOD.replace('query = "select 1"', 'query = "select 1"\ntable = "x"'), "not both"),
        (GOOD + "[reconcile]\nchance_agreement_limit = 2\n", "reconcile.chance_agreement_limit"),
        (GOOD + '[engine]\nmemory = "much"\n', "engine.memory"),
        (GOOD + "[engine]\nthreads = -1\n", "engine.threads"),
        (GOOD + '[alerts]\nurls = ["json://host/x", "pigeon://host"]\n', "alerts.urls: number 2"),
        (GOOD + '[alerts]\nui_url = "host:3000"\n', "alerts.ui_url"),
        (GOOD + "[schedule]\nkeep_days = 0\n", "schedule.keep_days"),
        (GOOD + '[schedule]\ntimezone = "Hanoi"\n', "schedule.timezone: is no time zone"),
        (GOOD + '[schedule]\ntimezone = "../x"\n', "schedule.timezone: is no time zone"),
        ("home = 7\n" + GOOD, "home"),
        ("insurance = 7\n" + GOOD.split("[population]", 1)[1].join(["[population]", ""]),
         "insurance"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_named(load: Callable[[str], Settings], spoilt: str, said: str) -> None:
    with pytest.raises(ConfigError, match="cannot be used") as caught:
        load(spoilt)

    assert said in caught.value.what


def test_a_file_that_is_no_toml_or_no_text_is_a_configuration_error(
    load: Callable[[str], Settings], tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="line 1"):
        load("[insurance\n")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not valid TOML"):
        load_settings(tmp_path / "bytes.toml")
    with pytest.raises(ConfigError, match="no readable configuration file"):
        load_settings(tmp_path)


def test_the_environment_names_the_file_where_the_caller_does_not(
    load: Callable[[str], Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(GOOD)
    monkeypatch.setenv(CONFIG_VARIABLE, str(tmp_path / "doisoat.toml"))

    assert load_settings().file == tmp_path / "doisoat.toml"


def test_settings_cannot_be_changed_once_read(load: Callable[[str], Settings]) -> None:
    settings = load(GOOD)

    with pytest.raises(ValueError, match="frozen"):
        settings.home = Path("/")  # type: ignore[misc]


def test_the_examples_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).resolve().parents[2]
    examples = sorted((root / "examples").glob("*.toml"))
    assert examples
    import re

    for example in examples:
        for name in re.findall(r"\$\{(\w+)\}", example.read_text(encoding="utf-8")):
            monkeypatch.setenv(name, "x")
        assert load_settings(example).file == example


def test_a_relative_sqlite_url_starts_at_the_working_folder(tmp_path, monkeypatch):
    from etl.simulate import SimulationSpec, write_database

    monkeypatch.chdir(tmp_path)
    spec = SimulationSpec(citizens=50, workers=1)
    write_database(spec, "sqlite:///insurance.db", "sqlite:///population.db")
    assert (tmp_path / "insurance.db").exists()
    assert (tmp_path / "population.db").exists()


@pytest.mark.parametrize(
    "password",
    ["a@b", "a/b@c", "a@b/c", "a@b?c", "p%41ss", "100%", "a#@b", "a@[b", "x@1:2", "tr@i %zz"],
)
@pytest.mark.parametrize("product", ["postgresql", "mysql", "mssql", "oracle"])
def test_a_password_that_breaks_the_url_is_refused_and_no_part_of_it_shown(
    load: Callable[[str], Settings],
    monkeypatch: pytest.MonkeyPatch,
    password: str,
    product: str,
) -> None:
    monkeypatch.setenv("DB_PASSWORD", password)
    spoilt = GOOD.replace("postgresql://", f"{product}://").replace("?sslmode=verify-full", "")

    with pytest.raises(ConfigError, match="insurance: is not a database URL") as caught:
        load(spoilt)

    said = str(caught.value).replace(str(caught.value.where), "")
    assert "'password' beside 'url'" in said
    assert password not in said


@pytest.mark.parametrize("password", ["a@b/c#d%41 e+f:g?h", "p%20ss", "x" * 100, "ư ơ 🙂", "' \\"])
@pytest.mark.parametrize("product", ["postgresql", "mysql", "oracle"])
def test_a_password_beside_the_url_is_taken_as_it_is(
    load: Callable[[str], Settings],
    monkeypatch: pytest.MonkeyPatch,
    password: str,
    product: str,
) -> None:
    monkeypatch.setenv("DB_PASSWORD", password)
    beside = (
        f'url = "{product}://db.example.vn:5433/bhxh"\nuser = "a@b"\npassword = "${{DB_PASSWORD}}"'
    )
    loaded = load(GOOD.replace(GOOD.splitlines()[2], beside)).insurance

    assert loaded.parsed.password == password
    assert loaded.parsed.username == "a@b"
    assert loaded.shown == f"{product}://db.example.vn:5433/bhxh"
    assert password not in repr(loaded) + loaded.model_dump_json() + str(loaded.parsed)
    if product == "postgresql":
        from psycopg.conninfo import conninfo_to_dict

        from etl.databases.connect import postgresql_address

        told = conninfo_to_dict(postgresql_address(loaded))
        assert told["password"] == password
        assert told["user"] == "a@b"
        assert told["client_encoding"] == "UTF8"
        assert told["sslmode"] == "require"


def test_user_and_password_beside_the_url_come_before_those_in_it(
    load: Callable[[str], Settings],
) -> None:
    loaded = load(GOOD.replace('table = "nguoi"', 'table = "nguoi"\npassword = "other"')).insurance

    assert (loaded.parsed.username, loaded.parsed.password) == ("reader", "other")
    with pytest.raises(ConfigError, match="has a 'password' and no 'user'"):
        load(GOOD + 'password = "other"\n')


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("postgresql://u@h1:5432,h2:5433/db", "h1,h2", "5432,5433"),
        ("postgresql://u@h1,h2/db?application_name=x", "h1,h2", ","),
        ("postgresql://u@%2Frun%2Fpg/db", "/run/pg", None),
        ("postgresql://u@/db?host=/run/pg", "/run/pg", None),
        ("postgresql+psycopg://u@h/db?options=-c%20a%3Db", "h", None),
        ("postgresql://u%40corp@h:1/db", "h", "1"),
    ],
)
def test_both_drivers_are_told_of_the_same_machine(url: str, host: str, port: str | None) -> None:
    from psycopg.conninfo import conninfo_to_dict
    from pydantic import SecretStr

    from etl.databases.connect import postgresql_address
    from etl.settings import Database

    told = conninfo_to_dict(postgresql_address(Database(url=SecretStr(url))))

    assert told["host"] == host
    assert told.get("port") == port


@pytest.mark.parametrize(
    "query", ["host=h1,h2,h3&port=1,2", "host=h1:x&host=h2", "port=x,y", "colour=red"]
)
def test_an_address_that_cannot_be_is_a_configuration_error(query: str) -> None:
    from pydantic import SecretStr

    from etl.databases.connect import engine_for
    from etl.settings import Database

    with pytest.raises(ConfigError):
        engine_for(Database(url=SecretStr(f"postgresql:///db?{query}")), read_only=True)


@pytest.mark.parametrize("url", ["http://user:pa/ss@host", "http://host:70000"])
def test_an_address_of_pages_that_cannot_be_is_refused_without_its_words(url: str) -> None:
    with pytest.raises(ValueError, match="has a port that cannot be") as told:
        Quality(pages_url=url)
    message = told.value.errors()[0]["msg"]  # type: ignore[attr-defined]
    assert "'pa'" not in message
    assert "70000" not in message
