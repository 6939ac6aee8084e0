import { type PayloadContext, type Refusal, refuse } from '../check.js'

/**
 * An item is paid by one part of its batch for ever: another attempt of the part may pay fewer items (one was ejected), never
 * more, and never those of two parts.
 */
export function itemsInOnePart(context: PayloadContext): Refusal | null {
  const { request, record } = context
  const strange = request.items?.find((item) => record?.items && !record.items.has(item))
  if (strange === undefined) return null
  return refuse('CONFLICT_SET', `Item ${strange} is not of the part that was signed with the others`)
}
