/**
 * Ranks as processes, on one machine or many: the door to c10d, libtorch's distributed part, its
 * Gloo and its NCCL. {@link dev.gossamer.distributed.c10d.Worlds} is the way in; nothing of the
 * bindings leaves this package.
 *
 * <p>Ranks first meet at a {@link dev.gossamer.distributed.c10d.Rendezvous}, where rank 0 keeps a
 * register (c10d's TCPStore) in which they find each other's addresses and, after a failure, each
 * other's last words. Gloo then connects every rank with every other.
 *
 * <p>Gloo writes a line {@code [Gloo] Rank 0 is connected to ..} to standard output for every group
 * that it connects. It has no switch for that: programs that print a document there print it to a
 * file when they run as several ranks, and nobody should parse the output of ranks.
 */
package dev.gossamer.distributed.c10d;
