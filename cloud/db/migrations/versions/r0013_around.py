"""Messages, followers, notices, activities, files and search around a record.

The index over the words of `search_doc` is made by hand: names that begin with `search_fts` are not in the code's tables.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from cloud.db.types import Json, UtcTime

revision = "r0013"
down_revision = "r0012"
branch_labels = None
depends_on = None

VISIBLE = "visibility IN ('internal', 'portal')"
FIXED = {
    "message": "uid, channel, direction, visibility, author_kind, author, recipient, body, reply_to, external_id, created_at",
    "attachment": "uid, sha256, size, name, mime, version_of, number, uploaded_by, uploaded_at",
}
"""Columns that no statement may set again. Kind and record may: a merge moves what lies around a record."""

TYPES: tuple[tuple[Any, ...], ...] = (
    ("call", "Call", "שיחת טלפון", True,
     [("reached", "Reached", "ענו"), ("no_answer", "No answer", "לא ענו"), ("call_back", "Call back later", "להתקשר שוב")]),
    ("meeting", "Meeting", "פגישה", True,
     [("held", "Held", "התקיימה"), ("moved", "Put off", "נדחתה"), ("no_show", "They did not come", "לא הגיעו")]),
    ("task", "Task", "משימה", False, []),
    ("mail", "Mail", "דואר", False, [("sent", "Sent", "נשלח"), ("answered", "Answered", "נענה")]),
    ("review", "Review", "בדיקה", True, [("fine", "In order", "תקין"), ("faults", "Faults found", "נמצאו ליקויים")]),
    ("visit", "Visit", "ביקור", True, [("done", "Took place", "התקיים"), ("not_met", "Nobody met us", "לא פגשנו איש")]),
)  # fmt: skip

FTS_COLUMNS = "title_words, body_words"


def upgrade() -> None:
    _messages()
    _following()
    _activities()
    _attachments()
    _search()
    if op.get_bind().dialect.name == "sqlite":
        _guard_sqlite()
        _index_sqlite()
    else:
        _guard_postgresql()
        _index_postgresql()


def downgrade() -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    if sqlite:
        op.execute("DROP TABLE search_fts")
    for table in ("attachment", "activity", "activity_type", "search_doc", "notice", "message", "follower"):
        op.drop_table(table)
    if not sqlite:
        op.execute("DROP FUNCTION refuse_other_reply")


def _key() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _of_record() -> list[sa.Column[Any]]:
    return [
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("record_id", sa.BigInteger(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
    ]


def _texts(*names: str, nullable: bool = False) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Text(), nullable=nullable) for name in names]


def _times(*names: str, nullable: bool = False) -> list[sa.Column[Any]]:
    return [sa.Column(name, UtcTime(), nullable=nullable) for name in names]


def _messages() -> None:
    op.create_table(
        "message",
        sa.Column("id", _key(), nullable=False),
        *_texts("uid"),
        *_of_record(),
        *_texts("channel", "direction", "visibility", "author_kind", "author"),
        *_texts("recipient", nullable=True),
        *_texts("body"),
        sa.Column("reply_to", _key(), nullable=True),
        *_texts("external_id", nullable=True),
        *_times("created_at"),
        *_times("withdrawn_at", nullable=True),
        *_texts("withdrawn_by", nullable=True),
        sa.CheckConstraint(VISIBLE, name=op.f("ck_message_visibility")),
        sa.ForeignKeyConstraint(["reply_to"], ["message.id"], name=op.f("fk_message_reply_to")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message")),
        sa.UniqueConstraint("channel", "external_id", name=op.f("uq_message_channel_external_id")),
        sa.UniqueConstraint("uid", name=op.f("uq_message_uid")),
    )
    op.create_index("ix_message_kind_record_id_created_at", "message", ["kind", "record_id", "created_at"])
    op.create_index(op.f("ix_message_reply_to"), "message", ["reply_to"])


def _following() -> None:
    op.create_table(
        "follower",
        *_texts("kind"),
        sa.Column("record_id", sa.BigInteger(), nullable=False),
        *_texts("login"),
        sa.Column("muted", sa.Boolean(), nullable=False),
        *_times("since"),
        sa.PrimaryKeyConstraint("kind", "record_id", "login", name=op.f("pk_follower")),
    )
    op.create_index(op.f("ix_follower_login"), "follower", ["login"])
    op.create_table(
        "notice",
        sa.Column("id", _key(), nullable=False),
        *_texts("login"),
        *_of_record(),
        *_texts("about"),
        sa.Column("about_id", sa.BigInteger(), nullable=True),
        *_texts("why", "action", "actor"),
        sa.Column("internal", sa.Boolean(), nullable=False),
        *_times("at"),
        *_times("read_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice")),
    )
    op.create_index("ix_notice_login_read_at_id", "notice", ["login", "read_at", "id"])


def _activities() -> None:
    types = op.create_table(
        "activity_type",
        *_texts("key", "label_en", "label_he"),
        sa.Column("outcomes", Json, nullable=False),
        sa.Column("needs_outcome", sa.Boolean(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("archived", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_activity_type")),
    )
    op.create_table(
        "activity",
        sa.Column("id", _key(), nullable=False),
        *_texts("uid"),
        sa.Column("version", sa.BigInteger(), nullable=False),
        *_of_record(),
        *_texts("type", "summary", "note", "assignee"),
        sa.Column("due_on", sa.Date(), nullable=True),
        *_times("due_at", nullable=True),
        *_texts("zone"),
        *_times("ends_at", "created_at"),
        *_texts("created_by"),
        *_times("done_at", "cancelled_at", "closed_at", nullable=True),
        *_texts("closed_by", "outcome", nullable=True),
        *_texts("outcome_note"),
        *_texts("source", nullable=True),
        sa.ForeignKeyConstraint(["type"], ["activity_type.key"], name=op.f("fk_activity_type")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_activity")),
        sa.UniqueConstraint("uid", name=op.f("uq_activity_uid")),
    )
    op.create_index("ix_activity_kind_record_id", "activity", ["kind", "record_id"])
    op.create_index("ix_activity_assignee_closed_at_ends_at", "activity", ["assignee", "closed_at", "ends_at"])
    rows = [
        {"key": key, "label_en": en, "label_he": he, "needs_outcome": needs, "position": place, "archived": False,
         "outcomes": [{"key": one, "en": in_english, "he": in_hebrew} for one, in_english, in_hebrew in outcomes]}
        for place, (key, en, he, needs, outcomes) in enumerate(TYPES)
    ]  # fmt: skip
    op.bulk_insert(types, rows)


def _attachments() -> None:
    op.create_table(
        "attachment",
        sa.Column("id", _key(), nullable=False),
        *_texts("uid"),
        *_of_record(),
        *_texts("sha256"),
        sa.Column("size", sa.BigInteger(), nullable=False),
        *_texts("name", "mime", "file_kind", "visibility"),
        sa.Column("version_of", _key(), nullable=True),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("signed", sa.Boolean(), nullable=False),
        *_texts("uploaded_by"),
        *_times("uploaded_at"),
        *_times("archived_at", nullable=True),
        *_texts("archived_by", nullable=True),
        sa.CheckConstraint(VISIBLE, name=op.f("ck_attachment_visibility")),
        sa.ForeignKeyConstraint(["sha256"], ["blob.sha256"], name=op.f("fk_attachment_sha256")),
        sa.ForeignKeyConstraint(["version_of"], ["attachment.id"], name=op.f("fk_attachment_version_of")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attachment")),
        sa.UniqueConstraint("uid", name=op.f("uq_attachment_uid")),
        sa.UniqueConstraint("version_of", "number", name=op.f("uq_attachment_version_of_number")),
    )
    op.create_index("ix_attachment_kind_record_id", "attachment", ["kind", "record_id"])
    op.create_index(op.f("ix_attachment_sha256"), "attachment", ["sha256"])


def _search() -> None:
    op.create_table(
        "search_doc",
        sa.Column("id", _key(), nullable=False),
        *_texts("kind"),
        sa.Column("record_id", sa.BigInteger(), nullable=False),
        *_texts("part"),
        sa.Column("part_id", sa.BigInteger(), nullable=False),
        *_texts("ref", "ref_key", "title"),
        sa.Column("texts", Json, nullable=False),
        sa.Column("internal", sa.Boolean(), nullable=False),
        sa.Column("archived", sa.Boolean(), nullable=False),
        *_times("updated_at"),
        *_texts("title_words", "body_words"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_search_doc")),
        sa.UniqueConstraint("kind", "record_id", "part", "part_id", name=op.f("uq_search_doc_kind_record_id_part_part_id")),
    )
    op.create_index(op.f("ix_search_doc_ref_key"), "search_doc", ["ref_key"])


def _guard_sqlite() -> None:
    for table, columns in FIXED.items():
        for verb, when in (("update", f"UPDATE OF {columns}"), ("delete", "DELETE")):
            op.execute(
                f"CREATE TRIGGER {table}_no_{verb} BEFORE {when} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} rows are never changed'); END"
            )
    op.execute(
        "CREATE TRIGGER message_reply BEFORE INSERT ON message WHEN NEW.reply_to IS NOT NULL AND NOT EXISTS "
        "(SELECT 1 FROM message m WHERE m.id = NEW.reply_to AND m.visibility = NEW.visibility "
        "AND m.kind = NEW.kind AND m.record_id = NEW.record_id) "
        "BEGIN SELECT RAISE(ABORT, 'a reply is as visible as what it answers'); END"
    )


def _guard_postgresql() -> None:
    for table, columns in FIXED.items():
        op.execute(
            f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OF {columns} OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    op.execute(
        "CREATE FUNCTION refuse_other_reply() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF NEW.reply_to IS NOT NULL AND NOT EXISTS (SELECT 1 FROM message m WHERE m.id = NEW.reply_to "
        "AND m.visibility = NEW.visibility AND m.kind = NEW.kind AND m.record_id = NEW.record_id) THEN "
        "RAISE EXCEPTION 'a reply is as visible as what it answers'; END IF; RETURN NEW; END $$"
    )
    op.execute(
        "CREATE TRIGGER message_reply BEFORE INSERT ON message FOR EACH ROW EXECUTE FUNCTION refuse_other_reply()"
    )


def _index_sqlite() -> None:
    # Tokens are made before they come here: the tokenizer only finds the spaces. Without places of words there are no phrases,
    # which nobody asks for, and the index is half as large (FTS5 manual, 4.6 "The Detail Option").
    op.execute(
        f"CREATE VIRTUAL TABLE search_fts USING fts5({FTS_COLUMNS}, content='search_doc', content_rowid='id', "
        "tokenize=\"unicode61 remove_diacritics 0\", prefix='2 3', detail='column')"
    )
    old = f"INSERT INTO search_fts(search_fts, rowid, {FTS_COLUMNS}) VALUES ('delete', old.id, old.title_words, old.body_words);"
    new = f"INSERT INTO search_fts(rowid, {FTS_COLUMNS}) VALUES (new.id, new.title_words, new.body_words);"
    op.execute(f"CREATE TRIGGER search_fts_insert AFTER INSERT ON search_doc BEGIN {new} END")
    op.execute(f"CREATE TRIGGER search_fts_delete AFTER DELETE ON search_doc BEGIN {old} END")
    op.execute(f"CREATE TRIGGER search_fts_update AFTER UPDATE OF {FTS_COLUMNS} ON search_doc BEGIN {old} {new} END")


def _index_postgresql() -> None:
    # Not to_tsvector, whose parser has its own idea of words: the tokens are the lexemes.
    lexemes = "array_to_tsvector(string_to_array({}, ' '))"
    both = "trim(title_words || ' ' || body_words)"
    for name, source in (("search_fts_title", "title_words"), ("search_fts_all", both)):
        made = lexemes.format(source)
        op.execute(f"ALTER TABLE search_doc ADD COLUMN {name} tsvector GENERATED ALWAYS AS ({made}) STORED")
        op.execute(f"CREATE INDEX {name}_index ON search_doc USING gin ({name})")
