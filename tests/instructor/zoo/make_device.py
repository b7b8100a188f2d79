"""Make a block device, to read the disk below its file system."""
# contained by namespaces: Operation not permitted
# contained by landlock: Permission denied

import os
import stat


def attack(world, call):
    os.mknod("disk", stat.S_IFBLK | 0o600, os.makedev(8, 0))
