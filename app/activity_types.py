"""The activity types, and the words for them in the API, the pages, the emails and the PDFs.

To add a type, see "Recipes" in CONTRIBUTING.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

ActivityType = Literal["run", "ride", "swim", "walk", "hike", "other"]
"""The types that the API accepts. Constraints in Postgres list the same types."""


class ActivityWords(NamedTuple):
    """The words for activities of one type."""

    label: str
    """The label in forms and tables. The PDF has room for about eight characters."""
    singular: str
    plural: str
    past_tense: str
    covers_distance: bool = True
    """Whether a distance can follow the past tense, as in `ran 8.2 km`."""


ACTIVITY_TYPES: Mapping[ActivityType, ActivityWords] = {
    "run": ActivityWords("Run", "run", "runs", "ran"),
    "ride": ActivityWords("Ride", "ride", "rides", "rode"),
    "swim": ActivityWords("Swim", "swim", "swims", "swam"),
    "walk": ActivityWords("Walk", "walk", "walks", "walked"),
    "hike": ActivityWords("Hike", "hike", "hikes", "hiked"),
    "other": ActivityWords(
        "Other", "activity", "other activities", "was active", covers_distance=False
    ),
}
"""All activity types, in the order shown in forms."""
