"""Files that boxes send."""

import sqlalchemy as sa
from alembic import op

from cloud.db.types import Json, UtcTime

revision = "r0006"
down_revision = "r0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "upload",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("box_id", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("stored", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("touched_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["box_id"], ["box.id"], name=op.f("fk_upload_box_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_upload")),
        sa.UniqueConstraint("box_id", "sha256", name=op.f("uq_upload_box_id_sha256")),
    )
    op.create_index("ix_upload_stored_touched_at", "upload", ["stored", "touched_at"], unique=False)
    op.create_table(
        "blob",
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("stored_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_blob")),
    )
    op.create_table(
        "blob_ref",
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("box_id", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("media", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("about", Json, nullable=False),
        sa.Column("job", sa.Text(), nullable=True),
        sa.Column("received_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["box_id"], ["box.id"], name=op.f("fk_blob_ref_box_id")),
        sa.PrimaryKeyConstraint("run", "seq", name=op.f("pk_blob_ref")),
    )
    op.create_index(op.f("ix_blob_ref_job"), "blob_ref", ["job"], unique=False)
    op.create_index(op.f("ix_blob_ref_sha256"), "blob_ref", ["sha256"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_blob_ref_job"), table_name="blob_ref")
    op.drop_index(op.f("ix_blob_ref_sha256"), table_name="blob_ref")
    op.drop_table("blob_ref")
    op.drop_table("blob")
    op.drop_index("ix_upload_stored_touched_at", table_name="upload")
    op.drop_table("upload")
