"""The home of each role, and the pages about oneself that the log-in library does not have."""

from django.urls import path

from portal import views, work_views

app_name = "portal"
urlpatterns = [
    path("home/", views.home, name="home"),
    path("staff/now/", views.staff_now, name="staff_now"),
    path("work/", work_views.work_list, name="work"),
    path("work/practice/", work_views.practice, name="work_practice"),
    path("work/people/<uuid:person_id>/", work_views.person, name="work_person"),
    path("work/<uuid:task_id>/", work_views.task, name="task"),
    path("work/<uuid:task_id>/done/", work_views.task_done, name="task_done"),
    path("work/<uuid:task_id>/hand-over/", work_views.task_hand_over, name="task_hand_over"),
]
