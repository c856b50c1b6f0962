"""Flash images: arguments that name them, their overview and their health."""
