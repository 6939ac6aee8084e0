import { type Check, type PayloadContext, refuse } from '../check.js'

/**
 * An item always belongs to one part of its batch: another attempt of the part may pay fewer items (one was
 * ejected), never more, and never those of two parts.
 */
export const itemsInOnePart: Check<PayloadContext> = {
  name: 'items-in-one-part',
  run(context) {
    const { request, record } = context
    const strange = request.items?.find((item) => record?.items && !record.items.has(item))
    if (strange === undefined) return null
    return refuse('CONFLICT_SET', `Item ${strange} is not of the part that was signed with the others`)
  },
}
