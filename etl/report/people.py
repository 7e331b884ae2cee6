"""People's decisions, compared with what the machine had said of the same record and citizen.

Belongs here: counting where they agree. No threshold is changed by these counts: people decide
mostly on records that the machine left to them, which are no fair sample of its links. Does not
belong here: the decisions (``etl/stewards``), and laying the counts out (``display.py``).
"""

from __future__ import annotations

from dataclasses import dataclass

from etl.engine.port import Warehouse

_COMPARED = """
with undone as (
    select undoes
    from ops.decisions
    where undoes is not null
),

-- What the machine had said of a record, before anybody decided on it.
said as (
    select *
    from ops.decisions
    where machine_verdict is not null
    qualify row_number() over (partition by record_id order by decided_at, decision_id) = 1
),

last_words as (
    select decisions.*
    from ops.decisions as decisions
    anti join undone on decisions.decision_id = undone.undoes
    where decisions.verdict in ('link', 'not_link', 'not_a_person')
    qualify
        row_number() over (
            partition by decisions.record_id
            order by decisions.decided_at desc, decisions.decision_id asc
        ) = 1
),

-- (That it is not somebody else says nothing of the citizen whom the machine had found.)
judged as (
    select
        said.machine_verdict,
        said.machine_step,
        case
            when said.machine_probability is null then ''
            when said.machine_probability >= 1 - parameters.wrong_links_per_million / 1e6
                then 'linked'
            when said.machine_probability >= 0.99 then '0.99'
            when said.machine_probability >= 0.9 then '0.9'
            when said.machine_probability >= 0.5 then '0.5'
            else '0'
        end as band,
        words.verdict = 'link' and words.personal_id = said.machine_personal_id as is_the_citizen
    from last_words as words
    inner join said on words.record_id = said.record_id
    cross join ops.parameters as parameters
    where
        said.machine_verdict in ('link', 'review')
        and (words.verdict <> 'not_link' or words.personal_id = said.machine_personal_id)
)

select
    machine_verdict,
    machine_step,
    band,
    count(*) filter (is_the_citizen) as confirmed,
    count(*) filter (not is_the_citizen) as refused
from judged
group by all
order by all
"""


@dataclass(frozen=True)
class Compared:
    """How people decided on records of which the machine had said the same.

    Attributes:
        verdict: What the machine had said: ``link``, or ``review`` where it had asked a person.
        step: The step of the waterfall that found the citizen.
        band: The lower limit of the band of probability; empty where the step has no probability,
            ``linked`` where the probability sufficed for a link (``wrong_links_per_million``).
        confirmed: How often people said that it is this citizen.
        refused: How often they said that it is not.
    """

    verdict: str
    step: str
    band: str
    confirmed: int
    refused: int


def compare_with_people(warehouse: Warehouse) -> list[Compared]:
    """Counts the last decision on each record, by what the machine had said."""
    return [
        Compared(
            str(row["machine_verdict"]), str(row["machine_step"]), str(row["band"]),
            int(str(row["confirmed"])), int(str(row["refused"])),
        )
        for row in warehouse.rows(_COMPARED)
    ]  # fmt: skip


def most_wrong_per_million(compared: list[Compared]) -> tuple[int, int, float]:
    """Estimates from people's decisions how many of the machine's links are wrong.

    Returns:
        How many links people decided on, how many of these they refused, and how many of a million
        links may be wrong at most, with 95% confidence: three in n if none of n was refused (the
        rule of three), else the upper end of Wilson's interval.
    """
    links = sum(one.confirmed + one.refused for one in compared if one.verdict == "link")
    refused = sum(one.refused for one in compared if one.verdict == "link")
    if not links:
        return 0, 0, 1e6
    if not refused:
        return links, 0, min(1e6, 3e6 / links)
    z, share = 1.96, refused / links
    centre = share + z * z / (2 * links)
    spread = z * ((share * (1 - share) + z * z / (4 * links)) / links) ** 0.5
    return links, refused, 1e6 * (centre + spread) / (1 + z * z / links)
