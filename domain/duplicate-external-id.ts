/** Creates the error of an external id that the merchant has used before. */

import { KeyturnError } from './errors.js'

/**
 * Creates the error.
 *
 * @param kind - What has the id: it names the field with the id of the other one, `withdrawal_id`.
 * @param known - Id of the one that has it. `null` if it cannot be found.
 */
export function duplicateExternalId(
  kind: 'withdrawal' | 'batch' | 'transfer',
  externalId: string | null,
  known: string | null,
): KeyturnError {
  return new KeyturnError(
    'DUPLICATE_EXTERNAL_ID',
    `external_id "${externalId}" was used for a ${kind} before and stays unique; choose another, or GET the ${kind}`,
    { details: { external_id: externalId, [`${kind}_id`]: known } },
  )
}
