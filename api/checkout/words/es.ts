/** Texts of the checkout page in Spanish. */

import type { CheckoutWords } from './en.js'

export const es: CheckoutWords = {
  pending: 'Pague {amount}',
  pending_text: 'Envíe exactamente este importe a la dirección de abajo.',
  open: 'Pague cualquier importe en {coin}',
  open_text: 'Envíe cuanto quiera a la dirección de abajo.',
  partial: 'Pague los {amount} restantes',
  partial_text: 'Han llegado {received} de {total}. Envíe el resto a la misma dirección.',
  paid: 'Hemos visto su pago',
  paid_text:
    '{received} están en camino y esperan confirmaciones de la red {network}. No pague otra vez; puede cerrar esta página.',
  confirmed: 'Pago completado',
  confirmed_text: 'Han llegado {received}. Gracias.',
  late: 'Su pago llegó tarde',
  late_text:
    '{received} llegaron cuando este pago ya había terminado. No pague otra vez. Hemos avisado a la tienda; indíquele el número de pago de abajo.',
  expired: 'El plazo de este pago ha terminado',
  expired_text:
    'No envíe nada a su dirección. Si ya ha pagado, no pague otra vez: indique a la tienda el número de pago de abajo.',
  expired_part_text:
    'Han llegado {received} de {total}, que no es suficiente. No envíe el resto ni pague otra vez: indique a la tienda el número de pago de abajo.',
  cancelled: 'Este pago se ha cancelado',
  cancelled_text:
    'No lo pague. Si ya ha pagado, no pague otra vez: indique a la tienda el número de pago de abajo.',
  only: 'Envíe solo {coin} por la red {network}. Otra moneda, o {coin} por otra red, puede perderse.',
  amount: 'Importe',
  coin: 'Moneda',
  network: 'Red',
  address: 'Dirección',
  order: 'Pedido',
  scan: 'Escanee el código con su monedero, o copie el importe y la dirección.',
  scan_open: 'Escanee el código con su monedero, o copie la dirección.',
  qr: 'Código QR de este pago, para un monedero',
  open_wallet: 'Abrir en un monedero',
  copy_amount: 'Copiar el importe',
  copy_address: 'Copiar la dirección',
  copied: 'Copiado',
  left: 'Tiempo restante: {duration}',
  until: 'hasta {time}',
  confirmations: '{done} de {needed} confirmaciones',
  back: 'Volver a la tienda',
  help: '¿Necesita ayuda? Indique a la tienda este número de pago:',
  check: 'Comprobar de nuevo',
  check_text: 'Vuelva a cargar esta página para saber si su pago se ha visto.',
  reissued: 'La tienda ha emitido este pago de nuevo. Use el enlace más reciente de la tienda.',
  wrong_coin:
    'A esta dirección llegó otra moneda. No cuenta para este pago. Indique a la tienda el número de pago de abajo.',
  overpaid: 'Ha llegado más que el importe. Pregunte a la tienda por la diferencia.',
  reorged:
    'La red ha retirado un pago que había llegado. Suele llegar de nuevo por sí solo: espere antes de pagar otra vez.',
}
