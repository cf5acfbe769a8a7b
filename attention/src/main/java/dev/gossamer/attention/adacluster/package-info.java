/**
 * AdaCluster, step by step, by the paper's names: {@link
 * dev.gossamer.attention.adacluster.AdaCluster} is the method, {@code HeadAttention} walks through
 * the steps.
 */
package dev.gossamer.attention.adacluster;
