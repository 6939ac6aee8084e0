import { type Check, type RequestContext, refuse } from '../check.js'

/** A payload of a batch says which items it pays; every other intent is paid whole. */
export const itemsMatchKind: Check<RequestContext> = {
  name: 'items-match-kind',
  run(context) {
    const { intent, items } = context.request
    if ((intent.kind === 'batch') === (items !== null)) return null
    return refuse(
      'OUTPUT_NOT_ALLOWED',
      items === null ? 'A payload of a batch must say which items it pays' : 'Only a batch has items',
    )
  },
}
