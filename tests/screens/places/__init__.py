"""Where the camera goes, by area of the product. What only looks comes first; what changes the practice comes last."""

from tests.screens.places.before_care import assessment, intake
from tests.screens.places.courses import course, dosing_day
from tests.screens.places.orders import orders
from tests.screens.places.practice import administration, messages, safety, work
from tests.screens.places.visits import booking, earlier_time, review, video

AREAS = (
    assessment,
    intake,
    review,
    booking,
    orders,
    course,
    messages,
    safety,
    work,
    administration,
    earlier_time,
    video,
    dosing_day,
)
