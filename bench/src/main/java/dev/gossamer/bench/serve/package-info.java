/**
 * How much a server of a language model gets done for many clients at once: {@link
 * dev.gossamer.bench.serve.ServeBench} measures, {@link dev.gossamer.bench.serve.Clients} ask.
 */
package dev.gossamer.bench.serve;
