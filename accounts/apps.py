from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = "People"

    def ready(self) -> None:
        from allauth.mfa.signals import authenticator_added

        from accounts.step_up import second_factor_was_shown

        # A library's signal, the only door it offers: whoever just set up a factor has shown it, and is not asked again.
        authenticator_added.connect(second_factor_was_shown, dispatch_uid="second_factor_was_shown")

        from accounts.work import work_items
        from common import hooks

        hooks.register("work.items", work_items)
