"""The rules of a goods receipt that box and core share: what is known of it, and which checks do not come out clean. Pure."""
