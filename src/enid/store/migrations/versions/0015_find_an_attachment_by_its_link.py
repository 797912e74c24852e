"""Find an attachment by its link."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("attachments", sa.Column("link", sa.Text()))
    op.execute("UPDATE attachments SET link = substr(id, length(id) - 13)")
    op.create_index("ix_attachments_link", "attachments", ["link"], unique=True)


def downgrade() -> None:
    op.drop_index("ix_attachments_link", "attachments")
    op.drop_column("attachments", "link")
