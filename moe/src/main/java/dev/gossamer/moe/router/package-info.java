/** Which experts a token visits, with what weight, and what keeps their load even. */
package dev.gossamer.moe.router;
