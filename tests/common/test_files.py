"""Files that people send: what is taken, what is refused with which sentence, what is kept, and how it leaves."""

import datetime as dt
import io
import random
import struct
import time
import zlib
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import InternalError, connection, transaction
from django.test import RequestFactory
from PIL import Image, PngImagePlugin
from pypdf import PdfReader, PdfWriter
from pypdf.generic import (
    ArrayObject,
    DecodedStreamObject,
    DictionaryObject,
    EncodedStreamObject,
    FloatObject,
    NameObject,
    TextStringObject,
)

from accounts.models import User
from common import file_cleaner, files
from common.errors import Invalid
from common.file_cleaner import Refused, clean
from common.models import AuditEntry, StoredFile

BOTH = files.IMAGES_AND_PDFS


def a_picture(
    width_px: int = 320, height_px: int = 200, *, kind: str = "JPEG", mode: str = "RGB", **save: Any
) -> bytes:
    out = io.BytesIO()
    colour = (200, 120, 40, 128)[: len(mode)] if mode != "L" else 90
    Image.new(mode, (width_px, height_px), colour).save(out, kind, **save)
    return out.getvalue()


def a_pdf(pages: int = 1, *, words: str = "Blood pressure 128 over 82", change: Any = None) -> bytes:
    writer = PdfWriter()
    for _ in range(pages):
        page = writer.add_blank_page(612, 792)
        font = DictionaryObject(
            {
                NameObject("/Type"): NameObject("/Font"),
                NameObject("/Subtype"): NameObject("/Type1"),
                NameObject("/BaseFont"): NameObject("/Helvetica"),
            }
        )
        # A font called /AF, as a writer of PDFs may well do.
        page[NameObject("/Resources")] = DictionaryObject(
            {NameObject("/Font"): DictionaryObject({NameObject("/AF"): writer._add_object(font)})}
        )
        drawing = DecodedStreamObject()
        drawing.set_data(f"BT /AF 24 Tf 72 700 Td ({words}) Tj ET".encode())
        page[NameObject("/Contents")] = writer._add_object(drawing)
    if change is not None:
        change(writer)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def a_note(subtype: str) -> DictionaryObject:
    return DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Annot"),
            NameObject("/Subtype"): NameObject(subtype),
            NameObject("/Rect"): ArrayObject([FloatObject(n) for n in (10, 10, 90, 40)]),
            NameObject("/Contents"): TextStringObject("a note"),
        }
    )


def with_a_form(writer: PdfWriter) -> None:
    field = writer._add_object(a_note("/Widget"))
    writer.root_object[NameObject("/AcroForm")] = DictionaryObject(
        {NameObject("/Fields"): ArrayObject([field])}
    )


def with_a_header_only(width_px: int, height_px: int) -> bytes:
    """A PNG of 70 bytes that says it is huge."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body))
            + name
            + body
            + struct.pack(">I", zlib.crc32(name + body) & 0xFFFFFFFF)
        )

    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width_px, height_px, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


def two_frames() -> bytes:
    out = io.BytesIO()
    frames = [Image.new("RGB", (40, 40), colour) for colour in ("red", "blue")]
    frames[0].save(out, "WEBP", save_all=True, append_images=frames[1:])
    return out.getvalue()


def str_or_nothing(value: Any) -> str:
    """Test names say the file, never its bytes."""
    return value if isinstance(value, str) and len(value) < 30 else "-"


SCRIPT = b"<script>fetch('/steal')</script>"


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("empty.jpg", b"", file_cleaner.EMPTY),
        ("program.exe", b"MZ" + bytes(500), file_cleaner.NOT_TAKEN),
        ("page.html", b"<!doctype html>" + SCRIPT, file_cleaner.NOT_TAKEN),
        ("drawing.svg", b"<svg xmlns='http://www.w3.org/2000/svg'>" + SCRIPT + b"</svg>", file_cleaner.NOT_TAKEN),
        ("animal.gif", b"GIF89a" + bytes(100), file_cleaner.NOT_TAKEN),
        ("a program called.jpg", b"MZ" + bytes(500), file_cleaner.NOT_TAKEN),
        ("report.pdf", a_picture(), file_cleaner.SAYS_ANOTHER),
        ("photo.jpg", a_pdf(), file_cleaner.SAYS_ANOTHER),
        ("report.pdf", b"PK\x03\x04" + bytes(100), file_cleaner.SAYS_ANOTHER),
        ("IMG_1.HEIC", b"\0\0\0\x24ftypheic" + bytes(100), file_cleaner.HEIC),
        ("bomb.png", with_a_header_only(10_000, 10_000), file_cleaner.TOO_MANY_PIXELS),
        ("bomb.jpg", a_picture(10_000, 10_000), file_cleaner.TOO_MANY_PIXELS),
        ("cut.jpg", a_picture(900, 900)[:-300], file_cleaner.BROKEN_PICTURE),
        ("cut.png", a_picture(kind="PNG")[:-40], file_cleaner.BROKEN_PICTURE),
        ("moving.webp", two_frames(), file_cleaner.MOVING),
        ("cut.pdf", a_pdf()[:120], file_cleaner.BROKEN_PDF),
        ("nothing behind it.pdf", b"%PDF-1.7\n" + SCRIPT, file_cleaner.BROKEN_PDF),
        ("locked.pdf", a_pdf(change=lambda w: w.encrypt("secret")), file_cleaner.LOCKED_PDF),
        ("locked for nobody.pdf", a_pdf(change=lambda w: w.encrypt("", "owner")), file_cleaner.LOCKED_PDF),
        ("form.pdf", a_pdf(change=with_a_form), file_cleaner.FORM_PDF),
        ("typed on.pdf", a_pdf(change=lambda w: w.add_annotation(0, a_note("/FreeText"))), file_cleaner.FORM_PDF),
        ("parcel.pdf", a_pdf(change=lambda w: w.add_attachment("x.exe", b"MZ")), file_cleaner.FILES_IN_PDF),
        ("long.pdf", a_pdf(file_cleaner.MAX_PDF_PAGES + 1), file_cleaner.TOO_MANY_PAGES),
    ],
    ids=str_or_nothing,
)  # fmt: skip
def test_what_is_not_taken_is_refused_with_its_own_sentence(name: str, data: bytes, sentence: str) -> None:
    with pytest.raises(Refused) as refusal:
        clean(data, kinds=BOTH, name=name)
    assert str(refusal.value) == sentence


def test_the_size_limit_is_pinned_on_both_sides() -> None:
    padded = a_picture() + bytes(file_cleaner.MAX_BYTES - len(a_picture()))
    assert len(padded) == file_cleaner.MAX_BYTES
    assert clean(padded, kinds=BOTH)[0] == "image/jpeg"
    with pytest.raises(Refused, match="10 MB"):
        clean(padded + b"\0", kinds=BOTH)


def test_the_page_limit_is_pinned_on_both_sides() -> None:
    _, kept = clean(a_pdf(file_cleaner.MAX_PDF_PAGES), kinds=BOTH)
    assert len(PdfReader(io.BytesIO(kept)).pages) == file_cleaner.MAX_PDF_PAGES


def test_a_place_that_takes_pictures_only_takes_no_pdf_and_the_other_way_round() -> None:
    with pytest.raises(Refused, match="Only photos"):
        clean(a_pdf(), kinds=files.IMAGES)
    with pytest.raises(Refused, match="Only PDFs"):
        clean(a_picture(), kinds={"pdf"})


def test_a_photograph_loses_its_place_and_its_maker_and_stands_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned a quarter
    exif[0x010F] = "A phone of Alice"
    exif.get_ifd(0x8825)[2] = (37.0, 46.0, 30.0)
    before = a_picture(320, 200, exif=exif.tobytes(), comment=b"at home")
    assert b"A phone of Alice" in before
    media_type, after = clean(before, kinds=BOTH, name="photo.jpg")
    picture = Image.open(io.BytesIO(after))
    assert media_type == "image/jpeg"
    assert picture.size == (200, 320)
    assert not picture.getexif()
    assert b"Alice" not in after and b"at home" not in after and b"Exif" not in after


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_what_hides_behind_or_inside_a_picture_does_not_survive(kind: str) -> None:
    save: dict[str, Any] = {}
    if kind == "PNG":
        save["pnginfo"] = PngImagePlugin.PngInfo()
        save["pnginfo"].add_text("Comment", SCRIPT.decode())
    polyglot = a_picture(kind=kind, **save) + SCRIPT + b"PK\x03\x04" + a_pdf()
    media_type, after = clean(polyglot, kinds=BOTH)
    assert media_type in ("image/jpeg", "image/png")
    assert b"script" not in after and b"PK\x03\x04" not in after and b"%PDF" not in after


def test_a_large_photograph_comes_out_at_2400_pixels_a_side() -> None:
    _, after = clean(a_picture(6000, 3000), kinds=BOTH)
    assert Image.open(io.BytesIO(after)).size == (2400, 1200)


def test_what_is_see_through_stays_so() -> None:
    media_type, after = clean(a_picture(mode="RGBA", kind="PNG"), kinds=BOTH)
    assert media_type == "image/png"
    assert Image.open(io.BytesIO(after)).mode == "RGBA"


def test_a_jpeg_called_png_is_taken_for_what_it_is() -> None:
    assert clean(a_picture(), kinds=BOTH, name="photo.png")[0] == "image/jpeg"


def acting(writer: PdfWriter) -> None:
    action = DictionaryObject(
        {
            NameObject("/S"): NameObject("/JavaScript"),
            NameObject("/JS"): TextStringObject("app.alert('open')"),
        }
    )
    writer.root_object[NameObject("/OpenAction")] = action
    scripts = DictionaryObject({NameObject("/Names"): ArrayObject([TextStringObject("one"), action])})
    writer.root_object[NameObject("/Names")] = DictionaryObject({NameObject("/JavaScript"): scripts})
    page = writer.pages[0]
    page[NameObject("/AA")] = DictionaryObject({NameObject("/O"): action})
    link = a_note("/Link")
    link[NameObject("/A")] = DictionaryObject(
        {NameObject("/S"): NameObject("/Launch"), NameObject("/F"): TextStringObject("cmd.exe")}
    )
    writer.add_annotation(0, link)
    page["/Resources"][NameObject("/PieceInfo")] = action  # type: ignore[index]
    writer.add_metadata({"/Author": "Alice Lindqvist"})


def test_a_pdf_keeps_its_pages_and_words_and_loses_everything_that_acts() -> None:
    before = a_pdf(2, change=acting)
    for word in (b"JavaScript", b"OpenAction", b"Launch", b"Alice Lindqvist"):
        assert word in before
    media_type, after = clean(before, kinds=BOTH, name="lab results.pdf")
    assert media_type == "application/pdf"
    for word in (
        b"JavaScript",
        b"/JS",
        b"OpenAction",
        b"/AA",
        b"Launch",
        b"cmd.exe",
        b"Annots",
        b"Alice",
        b"PieceInfo",
    ):
        assert word not in after, word
    reader = PdfReader(io.BytesIO(after))
    assert len(reader.pages) == 2
    assert all("Blood pressure 128 over 82" in page.extract_text() for page in reader.pages)


def test_a_polyglot_of_pdf_and_page_leaves_only_the_pdf() -> None:
    _, after = clean(a_pdf() + b"\n" + SCRIPT, kinds=BOTH)
    assert SCRIPT not in after


def test_cut_and_scrambled_files_never_end_in_anything_but_a_sentence() -> None:
    """Five hundred damaged files: each is rewritten or refused."""
    draw = random.Random(7)
    samples = [a_picture(), a_picture(kind="PNG"), a_picture(kind="WEBP"), a_pdf(2, change=acting)]
    verdicts = {"taken": 0, "refused": 0}
    for n in range(500):
        data = bytearray(samples[n % 4])
        for _ in range(draw.randint(1, 12)):
            data[draw.randrange(len(data))] = draw.randrange(256)
        if n % 3 == 0:
            del data[draw.randrange(20, len(data)) :]
        try:
            clean(bytes(data), kinds=BOTH)
            verdicts["taken"] += 1
        except Refused as refusal:
            assert str(refusal).endswith(".")
            verdicts["refused"] += 1
    assert min(verdicts.values()) > 10, verdicts


# --- kept and handed out ---


def sent(name: str, data: bytes) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, data)


def test_a_file_is_kept_encrypted_and_comes_back_the_same(alice: User, at: dt.datetime) -> None:
    file = files.accept_upload(sent("my pressure.pdf", a_pdf()), kinds=BOTH, by=alice, at=at)
    row = StoredFile.objects.get(pk=file.pk)
    assert (row.media_type, row.stored_by, row.stored_at) == ("application/pdf", alice, at)
    content = files.open_stored(row)
    assert "Blood pressure" in PdfReader(io.BytesIO(content)).pages[0].extract_text()
    assert row.byte_count == len(content)
    with connection.cursor() as cursor:
        cursor.execute("SELECT sealed FROM common_storedfile WHERE id = %s", [row.pk])
        raw = bytes(cursor.fetchone()[0])
    assert b"%PDF" not in raw and b"Blood" not in raw
    entry = AuditEntry.objects.get(action="file.stored", object_id=str(row.pk))
    assert "pressure" not in str(entry.detail)


def test_bytes_moved_to_another_row_or_changed_do_not_open(alice: User, at: dt.datetime) -> None:
    one = files.store(b"first", media_type="image/png", by=alice, at=at)
    other = files.store(b"other", media_type="image/png", by=alice, at=at)
    one.sealed = other.sealed
    with pytest.raises(InvalidTag):
        files.open_stored(one)
    other.sealed = bytes(other.sealed)[:-1] + bytes([bytes(other.sealed)[-1] ^ 1])
    with pytest.raises(InvalidTag):
        files.open_stored(other)


def test_a_stored_file_is_never_changed(alice: User, at: dt.datetime) -> None:
    one = files.store(b"first", media_type="image/png", by=alice, at=at)
    with pytest.raises(InternalError), transaction.atomic():
        StoredFile.objects.filter(pk=one.pk).update(media_type="application/pdf")
    files.forget(one, by=alice, at=at, why="taken back")
    assert not StoredFile.objects.exists()


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("empty.jpg", b"", file_cleaner.EMPTY),
        ("big.jpg", b"\xff\xd8\xff" + bytes(file_cleaner.MAX_BYTES), file_cleaner.TOO_BIG),
        ("report.pdf", a_picture(), file_cleaner.SAYS_ANOTHER),
        ("bomb.png", with_a_header_only(10_000, 10_000), file_cleaner.TOO_MANY_PIXELS),
    ],
    ids=str_or_nothing,
)
def test_a_refused_upload_leaves_nothing_behind(
    alice: User, at: dt.datetime, name: str, data: bytes, sentence: str
) -> None:
    with pytest.raises(Invalid) as refusal:
        files.accept_upload(sent(name, data), kinds=BOTH, by=alice, at=at)
    assert refusal.value.fields == {"files": sentence}
    assert not StoredFile.objects.exists()


def test_a_file_that_keeps_the_reader_busy_is_stopped() -> None:
    """A page of some kilobytes that unpacks to 300 MB."""

    def bomb(writer: PdfWriter) -> None:
        packed = EncodedStreamObject()
        packed._data = zlib.compress(zlib.compress(bytes(300_000_000)))
        twice = [NameObject("/FlateDecode"), NameObject("/FlateDecode")]
        packed[NameObject("/Filter")] = ArrayObject(twice)
        writer.pages[0][NameObject("/Contents")] = writer._add_object(packed)

    began = time.monotonic()
    with pytest.raises(Invalid) as refusal:
        files.rewritten(a_pdf(change=bomb), kinds=BOTH, extension="pdf")
    assert refusal.value.detail in (file_cleaner.TOOK_TOO_LONG, file_cleaner.BROKEN_PDF)
    assert time.monotonic() - began < files.WAIT_SECONDS + 2


def test_a_file_leaves_under_headers_that_let_it_do_nothing(alice: User, at: dt.datetime) -> None:
    pdf = files.accept_upload(sent("results.pdf", a_pdf()), kinds=BOTH, by=alice, at=at)
    picture = files.accept_upload(sent("photo.jpg", a_picture()), kinds=BOTH, by=alice, at=at)
    answers = {
        "pdf": files.serve(pdf, name="results.pdf", inline=True),
        "saved": files.serve(picture, name="photo.webp"),
        "shown": files.serve(picture, name="photo.jpg", inline=True),
    }
    for answer in answers.values():
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["Content-Security-Policy"].startswith("sandbox")
        assert answer["Cache-Control"] == "no-store, private"
    assert answers["pdf"]["Content-Disposition"] == 'attachment; filename="results.pdf"'
    assert answers["saved"]["Content-Disposition"] == 'attachment; filename="photo.jpg"'
    assert answers["shown"]["Content-Disposition"] == 'inline; filename="photo.jpg"'


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("../../etc/passwd", "passwd.pdf"),
        ("C:\\Users\\Alice\\lab.PDF", "lab.pdf"),
        ("a\r\nSet-Cookie: x=1.pdf", "aSet-Cookie: x=1.pdf"),
        ("invoice\u202efdp.exe", "invoicefdp.exe.pdf"),
        ("résumé.pdf", "résumé.pdf"),
        ("", "file.pdf"),
        ("x" * 300 + ".pdf", "x" * 76 + ".pdf"),
    ],
)
def test_a_name_carries_no_path_no_line_and_its_true_ending(given: str, shown: str) -> None:
    assert files.clean_name(given, "application/pdf") == shown


def test_uploads_stay_in_memory_and_a_cut_one_says_so(settings: Any) -> None:
    """Nothing of a document touches a disk; one byte over the limit is enough to know."""
    large = SimpleUploadedFile("large.pdf", bytes(file_cleaner.MAX_BYTES + 5000))
    fits = SimpleUploadedFile("fits.pdf", b"%PDF-" + bytes(4_000_000))
    request = RequestFactory().post("/anywhere/", {"large": large, "fits": fits})
    assert settings.FILE_UPLOAD_HANDLERS == ["common.files.MemoryOnly"]
    assert request.FILES["large"].was_cut and request.FILES["large"].size == file_cleaner.MAX_BYTES + 5000
    assert len(request.FILES["large"].read()) == file_cleaner.MAX_BYTES + 1
    assert not request.FILES["fits"].was_cut
    assert request.FILES["fits"].read() == b"%PDF-" + bytes(4_000_000)
    assert not hasattr(request.FILES["fits"], "temporary_file_path")
