"""Reading a message: what it is about, its words, its files."""

from typing import Any

from django import forms

from common.files import ACCEPT


class ManyFiles(forms.FileField):
    """Several files in one field; each is looked at when it is kept (common/files.py)."""

    def clean(self, data: Any, initial: Any = None) -> list[Any]:
        files = data if isinstance(data, list | tuple) else [data] if data else []
        # An empty file is refused with its own sentence later, not silently left out here.
        return [file for file in files if file]


class ManyFilesInput(forms.ClearableFileInput):
    allow_multiple_selected = True
    template_name = "django/forms/widgets/file.html"


class MessageForm(forms.Form):
    """An answer in a conversation."""

    version = forms.IntegerField(widget=forms.HiddenInput, required=False, min_value=0)
    body = forms.CharField(
        label="Your message",
        widget=forms.Textarea(attrs={"rows": "7"}),
        strip=False,
        error_messages={"required": "Write a message first."},
    )
    attachments = ManyFiles(
        label="Photos or documents",
        required=False,
        widget=ManyFilesInput(attrs={"accept": f"{ACCEPT['image']},{ACCEPT['pdf']}"}),
    )

    def __init__(self, *args: Any, numbers: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields[
            "attachments"
        ].help_text = f"JPEG, PNG, WebP or PDF, 10 MB each, {numbers['most_files']} at most. Where and when a photo was taken is removed."

    def clean_version(self) -> int:
        return int(self.cleaned_data.get("version") or 0)

    def clean_body(self) -> str:
        text = str(self.cleaned_data["body"])
        if not text.strip():
            raise forms.ValidationError("Write a message first.")
        return text


class NewMessageForm(MessageForm):
    """The first message of a conversation."""

    topic = forms.ChoiceField(
        label="What is it about?",
        widget=forms.RadioSelect,
        error_messages={"required": "Choose what it is about."},
    )
    field_order = ("version", "topic", "body", "attachments")

    def __init__(self, *args: Any, numbers: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(*args, numbers=numbers, **kwargs)
        field = self.fields["topic"]
        field.choices = [(row["code"], row["label"]) for row in numbers["topics"]]  # type: ignore[attr-defined]
        field.choice_hints = {row["code"]: row["hint"] for row in numbers["topics"]}  # type: ignore[attr-defined]


class DraftForm(forms.Form):
    """What is kept while somebody writes: nothing is required."""

    version = forms.IntegerField(required=False, min_value=0)
    topic = forms.CharField(required=False, max_length=12)
    body = forms.CharField(required=False, strip=False)


class GiveForm(forms.Form):
    """To whom a conversation goes."""

    to = forms.ChoiceField(label="Who answers from now on?")

    def __init__(self, *args: Any, people: list[Any], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Nobody is chosen beforehand: whoever answers now stands among them.
        self.fields["to"].choices = [("", "Choose a person")] + [  # type: ignore[attr-defined]
            (str(person.pk), f"{person}, {person.get_role_display().lower()}") for person in people
        ]
