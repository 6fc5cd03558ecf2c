"""Rewriting an uploaded file, in a process of its own: `python -I common/file_cleaner.py image,pdf EXTENSION < file > rewritten`.

A stranger's file is the one input that libraries written in C and parsers of forgiving formats read whole. So they read it
in a child that has no keys, no database and no environment, and that the system stops when it takes too long or too much
memory. Standard library, Pillow and pypdf only; nothing of Django is loaded here.

What leaves is drawn anew: of a picture only its pixels (no EXIF, no place, no second file behind the first), of a PDF only
its pages (no script, action, form, attached file or note). Whatever cannot be rewritten is refused with a sentence.
"""

import io
import logging
import sys
from collections.abc import Collection
from typing import Any

MAX_BYTES = 10 * 1024 * 1024
MAX_SIDE_PX = 2400
# A phone's largest photograph has 48 to 50 megapixels, and JPEG is read at a fraction of that; other formats are read whole.
MAX_JPEG_PIXELS = 52_000_000
MAX_OTHER_PIXELS = 26_000_000
MAX_PDF_PAGES = 60
CPU_SECONDS = 12
MEMORY_BYTES = 1024 * 1024 * 1024

EXTENSIONS = {"image/jpeg": "jpg", "image/png": "png", "application/pdf": "pdf"}
SAID_BY_NAME = {
    "jpg": "image", "jpeg": "image", "png": "image", "webp": "image", "heic": "image", "heif": "image", "gif": "image",
    "bmp": "image", "tif": "image", "tiff": "image", "svg": "image", "pdf": "pdf",
}  # fmt: skip

EMPTY = "This file is empty. Choose it again; it may not have finished downloading."
TOO_BIG = "This file is larger than 10 MB. Send a smaller one, or a photo of the page."
NOT_TAKEN = "This kind of file cannot be sent here. Photos (JPEG, PNG, WebP) and PDFs can."
ONLY_IMAGES = "Only photos (JPEG, PNG, WebP) can be sent here."
ONLY_PDFS = "Only PDFs can be sent here."
HEIC = "This photo is in Apple’s HEIC format. Pick it from your phone’s photo library, which sends it as a JPEG, or export it as a JPEG first."
SAYS_ANOTHER = "This file’s name says that it is one thing and its content is another. Open it, save it again under its own kind, and send that."
TOO_MANY_PIXELS = (
    "This picture is too large to be read safely. Send a smaller one: 8,000 by 6,000 pixels at most."
)
MOVING = "This is a moving picture. Send a still one."
BROKEN_PICTURE = "This picture cannot be read to its end. It may be damaged; take it again or choose another."
BROKEN_PDF = (
    "This PDF cannot be read to its end. It may be damaged; print it to a new PDF, or send a photo of it."
)
LOCKED_PDF = "This PDF is locked with a password. Print it to a new PDF without one, or send a photo of it."
FORM_PDF = "This PDF has form fields or notes that lie on top of its pages and would be lost. Print it to a new PDF and send that one."
FILES_IN_PDF = "This PDF carries other files inside it. Send those on their own."
TOO_MANY_PAGES = f"This PDF has more than {MAX_PDF_PAGES} pages. Send the pages that matter."
EMPTY_PDF = "This PDF has no pages."
TOOK_TOO_LONG = (
    "This file takes too long to read, so it was not taken. Send a simpler one, or a photo of the page."
)


class Refused(Exception):
    """This file is not taken; the text is the sentence for the person who sent it."""


def kind_of(data: bytes) -> str:
    """`jpeg`, `png`, `webp`, `pdf`, `heic` or "" by the first bytes, whatever the name says."""
    if data[:3] == b"\xff\xd8\xff":
        return "jpeg"
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return "png"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    if data[:5] == b"%PDF-":
        return "pdf"
    if data[4:8] == b"ftyp" and data[8:12] in (b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"heif"):
        return "heic"
    return ""


def clean(data: bytes, *, kinds: Collection[str], name: str = "") -> tuple[str, bytes]:
    """(media type, rewritten bytes) of an upload. `kinds`: `image`, `pdf` or both. Raises Refused with a plain sentence."""
    if not data:
        raise Refused(EMPTY)
    if len(data) > MAX_BYTES:
        raise Refused(TOO_BIG)
    kind = kind_of(data)
    said = SAID_BY_NAME.get(name.rpartition(".")[2].lower() if "." in name else "", "")
    group = "pdf" if kind == "pdf" else "image" if kind else ""
    if said and group != said:
        raise Refused(SAYS_ANOTHER if group or said == "pdf" else NOT_TAKEN)
    if not group or (group not in kinds):
        raise Refused(NOT_TAKEN if len(kinds) > 1 else ONLY_PDFS if "pdf" in kinds else ONLY_IMAGES)
    if kind == "heic":
        raise Refused(HEIC)
    media_type, rewritten = clean_pdf(data) if kind == "pdf" else clean_picture(data, kind)
    if len(rewritten) > MAX_BYTES:
        raise Refused(TOO_BIG)
    return media_type, rewritten


def clean_picture(data: bytes, kind: str) -> tuple[str, bytes]:
    """The picture's pixels as a new JPEG, or as a PNG where something is see-through or drawn; at most 2400 px a side."""
    from PIL import Image, ImageOps

    # Our own limits come first, read from the header; Pillow's stays behind them.
    Image.MAX_IMAGE_PIXELS = 2 * MAX_JPEG_PIXELS
    try:
        picture: Any = Image.open(io.BytesIO(data), formats=[kind.upper()])
        width, height = picture.size
        if width * height > (MAX_JPEG_PIXELS if kind == "jpeg" else MAX_OTHER_PIXELS):
            raise Refused(TOO_MANY_PIXELS)
        if kind != "jpeg" and getattr(picture, "n_frames", 1) > 1:
            raise Refused(MOVING)
        if kind == "jpeg":
            # Decoded at a half, a quarter or an eighth where that is enough.
            picture.draft("RGB", (MAX_SIDE_PX, MAX_SIDE_PX))
        picture.load()
        picture = ImageOps.exif_transpose(picture)
        picture.thumbnail((MAX_SIDE_PX, MAX_SIDE_PX))
        see_through = picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info
        picture = picture.convert("RGBA" if see_through else "RGB")
        # A new picture of the same pixels: what else the old one carried stays behind.
        fresh = Image.frombytes(picture.mode, picture.size, picture.tobytes())
    except Refused:
        raise
    except Image.DecompressionBombError:
        raise Refused(TOO_MANY_PIXELS) from None
    except MemoryError:
        raise Refused(TOOK_TOO_LONG) from None
    except Exception:
        # Whatever a decoder says about a hostile or damaged file, the person needs one sentence.
        raise Refused(BROKEN_PICTURE) from None
    out = io.BytesIO()
    if see_through or kind == "png":
        fresh.save(out, "PNG")
        if see_through or len(out.getvalue()) <= MAX_BYTES // 4:
            return "image/png", out.getvalue()
        out = io.BytesIO()
    fresh.save(out, "JPEG", quality=85, optimize=True)
    return "image/jpeg", out.getvalue()


# What a page may keep. Everything that acts, hides or points elsewhere is not on this list.
PAGE_KEYS = frozenset(
    {"/Type", "/MediaBox", "/CropBox", "/Rotate", "/Resources", "/Contents", "/UserUnit", "/Group"}
)
DROPPED = frozenset(
    {
        "/AA", "/OpenAction", "/JS", "/JavaScript", "/Launch", "/EF", "/AF", "/RichMedia", "/Metadata", "/PieceInfo", "/Ref",
        "/OPI", "/Alternates", "/AcroForm", "/XFA", "/Annots", "/Parent",
    }
)  # fmt: skip
# In these the keys are names that a page gave to what it draws with: a font may be called /AF.
NAMED = frozenset({"/Font", "/XObject", "/ExtGState", "/ColorSpace", "/Pattern", "/Shading", "/Properties"})
# Notes that leave nothing behind when they go: where a link led, and the box of a note.
HARMLESS_NOTES = frozenset({"/Link", "/Popup"})
MAX_PDF_OBJECTS = 50_000


def clean_pdf(data: bytes) -> tuple[str, bytes]:
    """The pages of a PDF in a new file, without anything that acts. Refuses what would be lost: fields, notes, files within."""
    from pypdf import PdfReader, PdfWriter
    from pypdf.errors import PyPdfError

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    try:
        reader = PdfReader(io.BytesIO(data), strict=False)
        if reader.is_encrypted:
            raise Refused(LOCKED_PDF)
        _refuse_what_would_be_lost(reader)
        count = len(reader.pages)
        if count == 0:
            raise Refused(EMPTY_PDF)
        if count > MAX_PDF_PAGES:
            raise Refused(TOO_MANY_PAGES)
        writer = PdfWriter()
        seen: set[tuple[int, int, bool]] = set()
        for page in reader.pages:
            # Resources and boxes may stand on a parent: read through the page first, then let go of the parent.
            for note in _resolved(page.get("/Annots")) or ():
                _look_at_note(_resolved(note))
            for key in [key for key in page if key not in PAGE_KEYS]:
                del page[key]
            for key in list(page):
                _strip(page[key], seen)
            if "/Resources" not in page or "/MediaBox" not in page:
                raise Refused(BROKEN_PDF)
            _decodes(page)
            writer.add_page(page)
        writer.metadata = None
        out = io.BytesIO()
        writer.write(out)
    except Refused:
        raise
    except (MemoryError, RecursionError):
        raise Refused(TOOK_TOO_LONG) from None
    except PyPdfError:
        raise Refused(BROKEN_PDF) from None
    except Exception:
        raise Refused(BROKEN_PDF) from None
    return "application/pdf", out.getvalue()


def _resolved(value: Any) -> Any:
    return value.get_object() if hasattr(value, "get_object") else value


def _refuse_what_would_be_lost(reader: Any) -> None:
    root = _resolved(reader.trailer["/Root"])
    if "/Collection" in root or "/AF" in root:
        raise Refused(FILES_IN_PDF)
    names = _resolved(root.get("/Names")) or {}
    attached = _resolved(names.get("/EmbeddedFiles"))
    if attached and (attached.get("/Names") or attached.get("/Kids")):
        raise Refused(FILES_IN_PDF)
    form = _resolved(root.get("/AcroForm"))
    if form and (_resolved(form.get("/Fields")) or "/XFA" in form):
        raise Refused(FORM_PDF)


def _look_at_note(note: Any) -> None:
    kind = _resolved(note.get("/Subtype")) if hasattr(note, "get") else None
    if kind in ("/FileAttachment", "/RichMedia", "/Movie", "/Sound", "/Screen", "/3D"):
        raise Refused(FILES_IN_PDF)
    if kind not in HARMLESS_NOTES:
        raise Refused(FORM_PDF)


def _decodes(page: Any) -> None:
    """A page whose drawing cannot be read would arrive empty."""
    contents = page.get_contents()
    if contents is not None:
        contents.get_data()


def _strip(value: Any, seen: set[tuple[int, int, bool]]) -> None:
    """Take out of everything a page uses what acts or points outside; without recursion, so that depth costs nothing."""
    from pypdf.generic import ArrayObject, DictionaryObject, IndirectObject, StreamObject

    todo = [(value, False)]
    while todo:
        item, is_names = todo.pop()
        if isinstance(item, IndirectObject):
            key = (item.idnum, item.generation, is_names)
            if key in seen:
                continue
            seen.add(key)
            if len(seen) > MAX_PDF_OBJECTS:
                raise Refused(TOOK_TOO_LONG)
            item = item.get_object()
        if isinstance(item, DictionaryObject):
            outside = isinstance(item, StreamObject) and "/F" in item
            if not is_names:
                for key in [key for key in item if key in DROPPED or (outside and key in ("/F", "/FFilter"))]:
                    del item[key]
            todo.extend((item.raw_get(key), key in NAMED and not is_names) for key in item)
        elif isinstance(item, ArrayObject):
            todo.extend((inner, False) for inner in list.__iter__(item))


def _limit() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Nothing is written to disk by this process.
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


def main() -> int:
    """One byte of verdict (+ or -), then the media type and the file, or the sentence."""
    _limit()
    kinds, name = sys.argv[1].split(","), f"file.{sys.argv[2]}" if sys.argv[2] else ""
    try:
        media_type, rewritten = clean(sys.stdin.buffer.read(MAX_BYTES + 1), kinds=kinds, name=name)
    except Refused as refusal:
        sys.stdout.buffer.write(b"-" + str(refusal).encode())
        return 0
    sys.stdout.buffer.write(b"+" + media_type.encode() + b"\n" + rewritten)
    return 0


if __name__ == "__main__":
    sys.exit(main())
