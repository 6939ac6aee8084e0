import { EVM_PAYLOAD_FIELDS } from '../../parse-request.js'
import { type Check, type EvmContext, refuse } from '../check.js'

/**
 * Fields of other transaction types (gas price, access list, blobs, authorizations) mean that another type
 * of transaction is wanted.
 */
export const typeTwoFieldsOnly: Check<EvmContext> = {
  name: 'type-two-fields-only',
  run(context) {
    const strange = Object.keys(context.payload).find((field) => !EVM_PAYLOAD_FIELDS.has(field))
    if (strange === undefined) return null
    return refuse(
      'TRANSACTION_TYPE_NOT_ALLOWED',
      `Only EIP-1559 transactions are signed; ${strange} is not a field of one`,
    )
  },
}
