/** Lloyd's iterations over the tokens of a head, by angle or by distance. */
package dev.gossamer.attention.kmeans;
