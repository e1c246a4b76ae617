"""Read and write all files: BIDS datasets, results, images, tables and manifests."""
