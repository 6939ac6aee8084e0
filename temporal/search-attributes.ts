/** Search attributes by which operators find workflows in the Temporal UI. */

import { defineSearchAttributeKey } from '@temporalio/common'

/** Search attributes by which operators find workflows; registered in the namespace before the first start. */
export const SEARCH_ATTRIBUTE = {
  merchant: defineSearchAttributeKey('Merchant', 'KEYWORD'),
  network: defineSearchAttributeKey('Network', 'KEYWORD'),
  coin: defineSearchAttributeKey('Coin', 'KEYWORD'),
  stage: defineSearchAttributeKey('Stage', 'KEYWORD'),
} as const
