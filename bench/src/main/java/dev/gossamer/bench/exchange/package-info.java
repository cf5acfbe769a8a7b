/**
 * What the ranks of a world move per second: {@code gossamer bench exchange}, see {@link
 * dev.gossamer.bench.exchange.ExchangeBench}.
 */
package dev.gossamer.bench.exchange;
