/** Defines the search attributes of our workflows. */

import { defineSearchAttributeKey } from '@temporalio/common'

/**
 * Search attributes by which operators find workflows. Workers register them in the namespace when they
 * start.
 */
export const SEARCH_ATTRIBUTE = {
  merchant: defineSearchAttributeKey('Merchant', 'KEYWORD'),
  network: defineSearchAttributeKey('Network', 'KEYWORD'),
  coin: defineSearchAttributeKey('Coin', 'KEYWORD'),
  stage: defineSearchAttributeKey('Stage', 'KEYWORD'),
} as const
