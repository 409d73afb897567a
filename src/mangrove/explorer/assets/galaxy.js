/* Pictures of other sites (img.if-reachable) show themselves once they are there: without a network there is no gap. */
document.addEventListener(
  "load",
  (event) => {
    if (event.target instanceof HTMLImageElement && event.target.classList.contains("if-reachable")) {
      event.target.classList.add("reached");
    }
  },
  true,
);
