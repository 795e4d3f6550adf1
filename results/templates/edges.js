// An edge and its sentence light each other. Without scripts their links do.

/** Lights what belongs to the edge under the pointer or the focus, and nothing else. */
function lightEdge(event) {
  const edge = event.target instanceof Element ? event.target.closest("[data-edge]")?.getAttribute("data-edge") : null;
  for (const one of document.querySelectorAll("[data-edge]")) one.classList.toggle("lit", one.getAttribute("data-edge") === edge);
}

if (document.querySelector("[data-edge]")) {
  for (const type of ["pointerover", "focusin"]) document.addEventListener(type, lightEdge);
}
