"""Every page of visits and orders."""

from django.urls import path

from consults.views import booking, calendar, delivery, feed, introductions, medicine, notes, orders, waiting

app_name = "consults"
urlpatterns = [
    path("consults/", booking.home, name="home"),
    path("consults/book/<slug:visit_type>/", booking.book, name="book"),
    path("consults/<uuid:appointment_id>/", booking.appointment, name="appointment"),
    path("consults/<uuid:appointment_id>/confirm/", booking.confirm, name="confirm"),
    path("consults/<uuid:appointment_id>/move/", booking.move, name="move"),
    path("consults/<uuid:appointment_id>/cancel/", booking.cancel, name="cancel"),
    path("consults/<uuid:appointment_id>/join/", booking.join, name="join"),
    path("consults/<uuid:appointment_id>/guests/", booking.guests, name="guests"),
    path("consults/<uuid:appointment_id>/invite.ics", booking.invite, name="invite"),
    path("consults/waiting/<slug:visit_type>/", waiting.waiting, name="waiting"),
    path("consults/offers/<uuid:offer_id>/", waiting.offer, name="offer"),
    path("consults/medicine/", medicine.medicine, name="medicine"),
    path("consults/parcels/<uuid:parcel_id>/count/", medicine.count, name="count"),
    path("consults/parcels/<uuid:parcel_id>/delivered/", orders.delivered, name="delivered"),
    path("consults/order/<uuid:order_id>/", medicine.order, name="order"),
    path("consults/order/new/<uuid:patient_id>/", orders.new, name="order_new"),
    path("consults/order/<uuid:order_id>/edit/", orders.edit, name="order_edit"),
    path("consults/order/<uuid:order_id>/review/", orders.review, name="order_review"),
    path("consults/order/<uuid:order_id>/discard/", orders.discard, name="order_discard"),
    path("consults/order/<uuid:order_id>/supersede/", orders.supersede, name="order_supersede"),
    path("consults/order/<uuid:order_id>/revoke/", orders.revoke, name="order_revoke"),
    path("consults/order/<uuid:order_id>/pharmacy/", orders.pharmacy, name="order_pharmacy"),
    path("consults/order/<uuid:order_id>/ship/", orders.ship, name="order_ship"),
    path("consults/medicine/kit/", delivery.kit, name="kit"),
    path("consults/medicine/practice/", delivery.practice, name="practice"),
    path("consults/patient/<uuid:patient_id>/kit/", delivery.ship_kit, name="ship_kit"),
    path("consults/patient/<uuid:patient_id>/kit/lost/", delivery.give_up_kit, name="give_up_kit"),
    path("consults/parcel/<uuid:parcel_id>/lost/", delivery.give_up, name="give_up"),
    path("consults/parcel/<uuid:parcel_id>/photo/", delivery.photo, name="parcel_photo"),
    path("consults/patient/<uuid:patient_id>/", notes.treatment, name="treatment"),
    path("consults/pdmp/<uuid:patient_id>/", notes.pdmp, name="pdmp"),
    path("consults/visit/<uuid:appointment_id>/", notes.visit, name="visit"),
    path("consults/visit/<uuid:appointment_id>/autosave/", notes.autosave, name="autosave"),
    path("consults/visit/<uuid:appointment_id>/sign/", notes.sign_note, name="sign_note"),
    path("consults/visit/<uuid:appointment_id>/addendum/", notes.addendum, name="addendum"),
    path("consults/visit/<uuid:appointment_id>/room/", notes.room, name="room"),
    path("consults/visit/<uuid:appointment_id>/video/", notes.video, name="video"),
    path("consults/visit/<uuid:appointment_id>/late/", notes.late, name="late"),
    path("consults/visit/<uuid:appointment_id>/close/", notes.close, name="close"),
    path("introduction/", introductions.times, name="introduction"),
    path("introduction/details/", introductions.details, name="introduction_details"),
    path("introduction/booked/", introductions.booked, name="introduction_booked"),
    path("introduction/link/<str:token>/", introductions.link, name="introduction_link"),
    path("introduction/link/<str:token>/move/", introductions.move, name="introduction_move"),
    path("introduction/link/<str:token>/cancel/", introductions.cancel, name="introduction_cancel"),
    path("introduction/link/<str:token>/video/", introductions.come_in, name="introduction_come_in"),
    path(
        "introduction/link/<str:token>/appointment.ics", introductions.calendar_file, name="introduction_file"
    ),
    path("consults/introduction/<uuid:introduction_id>/", introductions.call, name="introduction_call"),
    path("consults/introduction/<uuid:introduction_id>/room/", introductions.room, name="introduction_room"),
    path(
        "consults/introduction/<uuid:introduction_id>/video/", introductions.video, name="introduction_video"
    ),
    path("consults/introduction/<uuid:introduction_id>/end/", introductions.end, name="introduction_end"),
    path("calendar/", calendar.calendar, name="calendar"),
    path("calendar/hours/", calendar.hours, name="hours"),
    path("calendar/options/", feed.calendar_options, name="calendar_options"),
    path("calendar/feed/<str:token>.ics", feed.feed, name="feed"),
    path("consults/patient/<uuid:patient_id>/over/", feed.double_book, name="double_book"),
    path("calendar/exceptions/new/", calendar.exception, name="exception"),
    path(
        "calendar/exceptions/<uuid:exception_id>/remove/", calendar.exception_remove, name="exception_remove"
    ),
]
