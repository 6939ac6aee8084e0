import { type Check, type RequestContext, refuse } from '../check.js'

/** Items are indices of the approved outputs, ascending, each once. */
export const itemsKnown: Check<RequestContext> = {
  name: 'items-known',
  run(context) {
    const { intent, items } = context.request
    const strange = items?.find((item, at) => item >= intent.outputs.length || item <= (items[at - 1] ?? -1))
    if (strange === undefined) return null
    return refuse(
      'OUTPUT_NOT_ALLOWED',
      `Item ${strange} is none of the approved outputs, or not in its place`,
    )
  },
}
