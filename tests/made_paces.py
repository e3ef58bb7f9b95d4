"""A model's pace with round numbers."""

from explorer.runs.pace import Pace, Rate

PACE = Pace(
    native=(128, 128),
    scale=8,
    overhead=0.01,
    operations=(0.0, 1e6, 0.0),
    operation=Rate(((256.0, 1e-10),)),
    by_batch=False,
    first=0.5,
    graphed=1000,
    picture=Rate(((256.0, 1e-3),)),
    frame=Rate(((256.0, 1e-5),)),
    start=0.1,
    doubles=True,
    overlaps=False,
)
