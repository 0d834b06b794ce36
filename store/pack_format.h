/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_STORE_PACK_FORMAT_H
#define VAULT_STORE_PACK_FORMAT_H

/*
 * The layout of packs and records, as numbers. store/FORMAT.md says what they
 * mean and changes in the same commit. All integers are little-endian.
 */

/* Version of everything in the vault but the index. */
#define VAULT_FORMAT 1

/* Pack header. */
#define VAULT_PACK_MAGIC "ArtVault"
#define VAULT_PACK_MAGIC_BYTES 8
#define VAULT_PACK_HEADER_BYTES 4096 /* zeros from VAULT_PACK_SUMMED + 8 on */
#define VAULT_PACK_OFF_VERSION 8     /* u32 */
#define VAULT_PACK_OFF_ID 12	     /* u32 */
#define VAULT_PACK_OFF_UUID 16	     /* 16 bytes */
#define VAULT_PACK_OFF_SUM 32	     /* u64, XXH3-64 of bytes 0 to 31 */

/* Record header. */
#define VAULT_RECORD_MAGIC UINT32_C(0x43525641) /* "AVRC" */
#define VAULT_RECORD_ALIGN 16
#define VAULT_RECORD_HEADER_BYTES 80
#define VAULT_RECORD_OFF_MAGIC 0	/* u32 */
#define VAULT_RECORD_OFF_TYPE 4		/* u8 */
#define VAULT_RECORD_OFF_CODEC 5	/* u8 */
#define VAULT_RECORD_OFF_DEPTH 6	/* u8 */
#define VAULT_RECORD_OFF_FLAGS 7	/* u8 */
#define VAULT_RECORD_OFF_RAW_LEN 8	/* u32 */
#define VAULT_RECORD_OFF_STORED_LEN 12	/* u32 */
#define VAULT_RECORD_OFF_ID 16		/* 16 bytes */
#define VAULT_RECORD_OFF_BASE 32	/* 16 bytes */
#define VAULT_RECORD_OFF_SEQ 48		/* u64 */
#define VAULT_RECORD_OFF_DURABLE 56	/* u64 */
#define VAULT_RECORD_OFF_PAYLOAD_SUM 64 /* u64 */
#define VAULT_RECORD_OFF_HEADER_SUM 72	/* u64 */

/* No payload is longer; what claims to be is not a record. */
#define VAULT_RECORD_MAX ((uint32_t)256 << 20)

/* Record types; 4 to 7 are enum vault_entry_type (store/store.h). */
#define VAULT_RECORD_PARAMS 1
#define VAULT_RECORD_CHUNK 2
#define VAULT_RECORD_RECIPE 3
#define VAULT_RECORD_COMMIT 4
#define VAULT_RECORD_NAME 5
#define VAULT_RECORD_NOTE 6
#define VAULT_RECORD_RETIRE 7
#define VAULT_RECORD_MARK 8   /* carries `durable` and nothing else */
#define VAULT_RECORD_FOOTER 9 /* last record of a sealed pack */

/* Payload of a params record. */
#define VAULT_PARAMS_BYTES 304
#define VAULT_PARAMS_OFF_FORMAT 0     /* u32 */
#define VAULT_PARAMS_OFF_MIN 4	      /* u32 */
#define VAULT_PARAMS_OFF_AVG 8	      /* u32 */
#define VAULT_PARAMS_OFF_MAX 12	      /* u32 */
#define VAULT_PARAMS_OFF_UUID 16      /* 16 bytes */
#define VAULT_PARAMS_OFF_SECRET 32    /* 192 bytes */
#define VAULT_PARAMS_OFF_ZONE 224     /* 64 bytes, zero-padded */
#define VAULT_PARAMS_OFF_PREV 288     /* u32, the pack before; 0: none */
#define VAULT_PARAMS_OFF_PREV_END 296 /* u64, where that pack ends */

/* One row of a footer's payload; rows are in order of their first 16 bytes. */
#define VAULT_FOOTER_ROW_BYTES 32
#define VAULT_FOOTER_OFF_ID 0	       /* 16 bytes; entries: 8 zeros, seq BE */
#define VAULT_FOOTER_OFF_PLACE 16      /* u32, offset of the header / 16 */
#define VAULT_FOOTER_OFF_RAW_LEN 20    /* u32 */
#define VAULT_FOOTER_OFF_STORED_LEN 24 /* u32 */
#define VAULT_FOOTER_OFF_TYPE 28       /* u8, then codec, depth, flags */

/* Offset of the first record that is not the params record. */
#define VAULT_PACK_FIRST                                       \
	(VAULT_PACK_HEADER_BYTES + VAULT_RECORD_HEADER_BYTES + \
	 VAULT_PARAMS_BYTES)

/* Value of an index row of the family CHUNK, by id. */
#define VAULT_PLACE_BYTES 20
#define VAULT_PLACE_OFF_PACK 0	      /* u32 */
#define VAULT_PLACE_OFF_OFFSET 4      /* u64 */
#define VAULT_PLACE_OFF_RAW_LEN 12    /* u32 */
#define VAULT_PLACE_OFF_STORED_LEN 16 /* u32 */

#endif
