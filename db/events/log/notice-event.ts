/** Makes the `exception.raised` event of a notice: a person must know it, but nothing in the books is unresolved. */

import type { ExceptionRaised } from '../../../wire/event.js'
import { newId } from '../../new-id.js'
import type { NewEvent } from './append-events.js'

export interface NewNotice {
  readonly merchantId: string
  /** Kind, e.g. `withdrawal.large`. */
  readonly kind: string
  readonly severity: ExceptionRaised['severity']
  /** Id of the object that the notice concerns. */
  readonly subject: string
  /** Facts for the person who examines it, with a `message`. JSON only. */
  readonly facts: Readonly<Record<string, unknown>>
}

/** Returns the event. Append it in the transaction of its cause. */
export function noticeEvent(notice: NewNotice): NewEvent {
  const data = {
    ...notice.facts,
    id: newId('exc'),
    kind: notice.kind,
    detail: notice.kind,
    severity: notice.severity,
    subject: notice.subject,
    in_queue: false,
  } satisfies ExceptionRaised
  return { merchantId: notice.merchantId, type: 'exception.raised', subject: notice.subject, data }
}
